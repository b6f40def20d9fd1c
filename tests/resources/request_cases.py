"""Cases of `test_resource_calls`: settings, clones, collaborators, labelsets, issues, work units, users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from request_checks import DEFAULTS, ODD, ODD_PATH, Case, pages

from segments_async import (
    Collaborator,
    Dataset,
    Issue,
    IssueLocation2D,
    IssueLocation3D,
    IssueLocationAnchor,
    IssueSceneAttributeAnchor,
    IssueStatus,
    IssueTrackAnchor,
    Labelset,
    Role,
    User,
    Workunit,
)

DATASET = {"name": "flowers", "full_name": "jane/flowers"}
COLLABORATOR = {"user": {"username": "joe"}, "role": "labeler"}
LABELSET = {"name": "model", "description": ""}
ISSUE = {"uuid": "i-1", "description": "Torn.", "status": "OPEN", "comments": []}
NOON = datetime(2026, 1, 31, 12, 0, 0, 999, UTC)
SETTINGS = {
    "description": "Roses.",
    "task_type": "vector",
    "task_attributes": {"format_version": "0.1", "categories": [], "novel": 1},
    "category": "garden",
    "public": False,
    "tags": ["spring", "ours"],
    "readme": "# Roses",
    "metadata": {"day": "sunday", "n": 1.0},
    "archived": True,
    "labeling_inactivity_timeout_seconds": 60,
    "region_of_interest": {"x": [0, 1]},
    "noncollaborator_can_label": True,
    "noncollaborator_can_review": False,
    "enable_skip_labeling": False,
    "enable_skip_reviewing": True,
    "enable_ratings": True,
    "enable_save_button": True,
    "enable_label_status_verified": True,
    "enable_confirm_on_submit": True,
    "enable_same_dimensions_track_constraint": True,
    "enable_interpolation": False,
    "enable_extrapolation": True,
    "use_timestamps_for_interpolation": True,
    "enable_3d_cuboid_rotation": True,
    "enable_3d_region_of_interest": True,
    "enable_object_linking": True,
    "enable_object_link_category_restrictions": False,
}


def issue_case(anchor, on_the_wire):
    return Case(
        lambda c: c.issues.create("u-1", "Torn.", anchor=anchor),
        "POST /samples/u-1/issues/",
        body={"description": "Torn.", "status": "OPEN", "anchor": on_the_wire},
        answer={**ISSUE, "anchor": on_the_wire},
        gives=Issue,
    )


CASES = [
    # Datasets
    Case(
        lambda c: c.datasets.list("jane", per_page=7),
        "GET /users/jane/datasets/",
        pages(per_page="7"),
        answer=[DATASET],
        gives=[Dataset],
    ),
    Case(
        lambda c: c.datasets.create("flowers", **SETTINGS),
        "POST /user/datasets/",
        body={**DEFAULTS, **SETTINGS, "name": "flowers"},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.update("jane/flowers", **SETTINGS),
        "PATCH /datasets/jane/flowers/",
        body=SETTINGS,
        answer={**DATASET, **SETTINGS},
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.update("jane/flowers", **dict.fromkeys(SETTINGS)),
        "PATCH /datasets/jane/flowers/",
        body=dict.fromkeys(SETTINGS),
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.update("jane/flowers"),
        "PATCH /datasets/jane/flowers/",
        body={},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.clone("jane/flowers"),
        "POST /datasets/jane/flowers/clone/",
        body={"name": "flowers-clone", "clone_labels": False},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.clone(f"{ODD}/{ODD}"),
        f"POST /datasets/{ODD_PATH}/{ODD_PATH}/clone/",
        body={"name": f"{ODD}-clone", "clone_labels": False},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.clone(
            Dataset(name="flowers", full_name="jane/flowers"),
            name="roses",
            task_type="bboxes",
            public=False,
            organization="acme",
            clone_labels=True,
        ),
        "POST /datasets/jane/flowers/clone/",
        body={"name": "roses", "task_type": "bboxes", "public": False, "owner": "acme", "clone_labels": True},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.get_collaborator("jane/flowers", ODD),
        f"GET /datasets/jane/flowers/collaborators/{ODD_PATH}",
        answer=COLLABORATOR,
        gives=Collaborator,
    ),
    Case(
        lambda c: c.datasets.update_collaborator("jane/flowers", "joe", Role.ADMIN),
        "PATCH /datasets/jane/flowers/collaborators/joe",
        body={"role": "admin"},
        answer=COLLABORATOR,
        gives=Collaborator,
    ),
    Case(
        lambda c: c.datasets.remove_collaborator("jane/flowers", "joe"),
        "DELETE /datasets/jane/flowers/collaborators/joe",
    ),
    # Labelsets
    Case(
        lambda c: c.labelsets.list("jane/flowers"),
        "GET /datasets/jane/flowers/labelsets/",
        answer=[LABELSET],
        gives=[Labelset],
    ),
    Case(
        lambda c: c.labelsets.get("jane/flowers", ODD),
        f"GET /datasets/jane/flowers/labelsets/{ODD_PATH}/",
        answer=LABELSET,
        gives=Labelset,
    ),
    Case(
        lambda c: c.labelsets.create("jane/flowers", "model"),
        "POST /datasets/jane/flowers/labelsets/",
        body={"name": "model", "description": "", "attributes": "{}"},
        answer=LABELSET,
        gives=Labelset,
    ),
    Case(
        lambda c: c.labelsets.create("jane/flowers", ODD, description="Mine."),
        "POST /datasets/jane/flowers/labelsets/",
        body={"name": ODD, "description": "Mine.", "attributes": "{}"},
        answer=LABELSET,
        gives=Labelset,
    ),
    Case(lambda c: c.labelsets.delete("jane/flowers", ODD), f"DELETE /datasets/jane/flowers/labelsets/{ODD_PATH}/"),
    # Issues
    Case(lambda c: c.issues.list("jane/flowers"), "GET /datasets/jane/flowers/issues/", answer=[ISSUE], gives=[Issue]),
    Case(
        lambda c: c.issues.create("u-1", "Torn.", status=IssueStatus.CLOSED),
        "POST /samples/u-1/issues/",
        body={"description": "Torn.", "status": "CLOSED"},
        answer=ISSUE,
        gives=Issue,
    ),
    issue_case({"type": "basic", "frame": 3, "novel": None}, {"type": "basic", "frame": 3, "novel": None}),
    issue_case({"type": "moon", "phase": [1]}, {"type": "moon", "phase": [1]}),
    issue_case(
        IssueTrackAnchor(track_number=7, track_attribute="colour", sensor="front"),
        {"type": "track", "trackNumber": 7, "trackAttribute": "colour", "sensor": "front"},
    ),
    issue_case(
        IssueSceneAttributeAnchor(scene_attribute="weather"), {"type": "sceneAttribute", "sceneAttribute": "weather"}
    ),
    issue_case(
        IssueLocationAnchor(location=IssueLocation2D(x=1, y=2.5)),
        {"type": "location", "location": {"type": "2d", "x": 1, "y": 2.5}},
    ),
    issue_case(
        IssueLocationAnchor(location=IssueLocation3D(x=1, y=2.5, z=0)),
        {"type": "location", "location": {"type": "3d", "x": 1, "y": 2.5, "z": 0}},
    ),
    Case(
        lambda c: c.issues.update("i-1", status="CLOSED", anchor=None),
        "PATCH /issues/i-1/",
        body={"status": "CLOSED", "anchor": None},
        answer=ISSUE,
        gives=Issue,
    ),
    Case(lambda c: c.issues.delete(ODD), f"DELETE /issues/{ODD_PATH}/"),
    # Work units
    Case(
        lambda c: c.workunits.list("jane/flowers"),
        "GET /datasets/jane/flowers/workunits/",
        pages(sort="-created_at"),
        answer=[{"created_at": "2026-01-31T12:00:00Z", "time": 60, "inactive_time": 0}],
        gives=[Workunit],
    ),
    Case(
        lambda c: c.workunits.list(
            "jane/flowers",
            start=NOON.astimezone(timezone(timedelta(hours=2))),
            end="2026-02-01T00:00:00+01:00",
            direction="asc",
            include_session_time_metrics=True,
            per_page=10,
        ),
        "GET /datasets/jane/flowers/workunits/",
        {
            "start": "2026-01-31T12:00:00",
            "end": "2026-02-01T00:00:00+01:00",
            "sort": "created_at",
            "include_session_time_metrics": "true",
            "per_page": "10",
            "page": "1",
        },
        answer=[],
        gives=[],
    ),
    # Users
    Case(lambda c: c.users.me(), "GET /user", answer={"username": "jane"}, gives=User),
    Case(lambda c: c.users.get(ODD), f"GET /users/{ODD_PATH}", answer={"username": ODD}, gives=User),
    # Status of the service
    Case(lambda c: c.api_status(), "GET /api_status/", answer={"status": "ok"}),
    Case(lambda c: c.api_status(), "GET /api_status/"),
    Case(lambda c: c.api_status("1.33.0+x"), "GET /api_status/", {"lib_version": "1.33.0+x"}, answer={}),
]
