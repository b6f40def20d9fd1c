"""
The counterpart of each call of the official SDK: writes ``docs/coverage.md``.

Run it with ``python tests/conformance/sdk_coverage.py``; `test_sdk_coverage` compares it with both clients.
"""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen
from sdk_coverage_helpers import HELPERS

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"

DATASET = {"dataset_identifier": "dataset"}
COLLABORATOR = {**DATASET, "username": "user"}
LISTED = {**DATASET, "page": "(all pages; `.pages()` gives them one by one)"}
COMPRESSED = "(compressed automatically)"
CONFIRM = {"enable_confirm_on_commit": "enable_confirm_on_submit"}


@frozen
class Row:
    """A call of the SDK's client, and its counterpart here."""

    theirs: str
    ours: str
    """Methods of the client, with a comma between them."""
    arguments: dict[str, str] = field(factory=dict)
    """The name here of each argument whose name differs; a remark in brackets if there is no such argument."""

    @property
    def methods(self) -> list[str]:
        return self.ours.split(", ")


ROWS = [
    Row("close", "aclose"),
    Row("get_user", "users.me, users.get", {"user": "username"}),
    Row("get_datasets", "datasets.list", {"user": "owner", "page": LISTED["page"]}),
    Row("get_dataset", "datasets.get", DATASET),
    Row("add_dataset", "datasets.create", CONFIRM),
    Row("update_dataset", "datasets.update", {**DATASET, **CONFIRM}),
    Row("delete_dataset", "datasets.delete", DATASET),
    Row(
        "clone_dataset",
        "datasets.clone",
        {**DATASET, "new_name": "name", "new_task_type": "task_type", "new_public": "public"},
    ),
    Row("get_dataset_collaborator", "datasets.get_collaborator", COLLABORATOR),
    Row("add_dataset_collaborator", "datasets.add_collaborator", COLLABORATOR),
    Row("update_dataset_collaborator", "datasets.update_collaborator", COLLABORATOR),
    Row("delete_dataset_collaborator", "datasets.remove_collaborator", COLLABORATOR),
    Row("get_samples", "samples.list", LISTED),
    Row("get_sample", "samples.get", {"include_signed_url": "include_signed_urls"}),
    Row("add_sample", "samples.create", {**DATASET, "enable_compression": COMPRESSED}),
    Row("add_samples", "samples.create_many, samples.stream_create", {**DATASET, "enable_compression": COMPRESSED}),
    Row("update_sample", "samples.update, samples.update_many", {"enable_compression": COMPRESSED}),
    Row("delete_sample", "samples.delete"),
    Row("delete_samples", "samples.delete_many", DATASET),
    Row(
        "get_label",
        "labels.get, labels.get_many",
        {"transform_to_ego_coordinates": "(`transform_to_ego(label, sample)`)"},
    ),
    Row("add_label", "labels.put, labels.put_many", {"enable_compression": COMPRESSED}),
    Row("update_label", "labels.update, labels.update_many", {"enable_compression": COMPRESSED}),
    Row("delete_label", "labels.delete, labels.delete_many"),
    Row("get_labelsets", "labelsets.list", DATASET),
    Row("get_labelset", "labelsets.get", DATASET),
    Row("add_labelset", "labelsets.create", DATASET),
    Row("delete_labelset", "labelsets.delete", DATASET),
    Row("get_issues", "issues.list", DATASET),
    Row("add_issue", "issues.create"),
    Row("update_issue", "issues.update"),
    Row("delete_issue", "issues.delete"),
    Row("get_releases", "releases.list", DATASET),
    Row("get_release", "releases.get", DATASET),
    Row("add_release", "releases.create", DATASET),
    Row("delete_release", "releases.delete", DATASET),
    Row("get_workunits", "workunits.list", LISTED),
    Row("upload_asset", "assets.upload, samples.upload_files"),
]

OBJECTS = {
    "Dataset.add_collaborator": "datasets.add_collaborator",
    "Dataset.add_labelset": "labelsets.create",
    "Dataset.add_release": "releases.create",
    "Dataset.add_sample": "samples.create",
    "Dataset.clone": "datasets.clone",
    "Dataset.delete": "datasets.delete",
    "Dataset.delete_samples": "samples.delete_many",
    "Dataset.get_collaborator": "datasets.get_collaborator",
    "Dataset.get_issues": "issues.list",
    "Dataset.get_labelset": "labelsets.get",
    "Dataset.get_labelsets": "labelsets.list",
    "Dataset.get_release": "releases.get",
    "Dataset.get_releases": "releases.list",
    "Dataset.get_samples": "samples.list",
    "Dataset.get_workunits": "workunits.list",
    "Dataset.update": "datasets.update",
    "Sample.add_issue": "issues.create",
    "Sample.add_label": "labels.put",
    "Sample.delete": "samples.delete",
    "Sample.delete_label": "labels.delete",
    "Sample.get_issues": "issues.list",
    "Sample.get_label": "labels.get",
    "Sample.update": "samples.update",
    "Sample.update_label": "labels.update",
    "Label.delete": "labels.delete",
    "Label.update": "labels.update",
    "Issue.delete": "issues.delete",
    "Issue.update": "issues.update",
    "Collaborator.delete": "datasets.remove_collaborator",
    "Collaborator.update": "datasets.update_collaborator",
    "Labelset.delete": "labelsets.delete",
    "Release.delete": "releases.delete",
}
"""Our models have no client, so these calls take the object, its name or its uuid."""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def code(words: str) -> str:
    return ", ".join(f"`{word}`" for word in words.split(", "))


def linked(methods: str) -> str:
    """Write methods of the client, each with a link to the reference."""
    return ", ".join(f"[`{method}`](reference/{anchor_of(method)})" for method in methods.split(", "))


def anchor_of(method: str) -> str:
    resource, _, name = method.rpartition(".")
    if not resource:
        return f"client.md#segments_async.AsyncSegments.{name}"
    page = resource if resource in {"datasets", "samples", "labels", "releases"} else "resources"
    return f"{page}.md#segments_async.resources.{resource.capitalize()}.{name}"


def shown(arguments: dict[str, str]) -> str:
    return ", ".join(
        f"`{theirs}` {ours}" if ours.startswith("(") else f"`{theirs}`: `{ours}`"
        for theirs, ours in arguments.items()
        if theirs not in DATASET
    )


def page() -> str:
    """Write the page."""
    lines = [
        "# From the official SDK",
        "",
        "The counterpart of each call of `segments-ai` 1.33. This page is written by",
        "`python tests/conformance/sdk_coverage.py`; a test fails if the SDK has a call or an argument that it lacks.",
        "",
        "## Calls of the client",
        "",
        "All calls are async. `dataset_identifier` is called `dataset` everywhere, and a `Dataset` is accepted too.",
        "The third column lists the other arguments whose names differ. Optional arguments are passed by name:",
        '`add_release(dataset, "v1", "first")` is `client.releases.create(dataset, "v1", description="first")`.',
        "",
        *table(
            ("`SegmentsClient`", "`AsyncSegments`", "arguments"),
            [(code(row.theirs), linked(row.ours), shown(row.arguments)) for row in ROWS],
        ),
        "",
        "## Calls of objects",
        "",
        "Models have no client, so that they can be pickled, compared and created by hand. The methods of the client",
        "take a `Dataset` or its name, a `Sample` or its uuid, and the name or uuid of any other object.",
        "",
        *table(("SDK", "`segments_async`"), [(code(theirs), linked(ours)) for theirs, ours in OBJECTS.items()]),
        "",
        "## Helpers",
        "",
        *table(("SDK", "`segments_async`"), [(code(theirs), ours) for theirs, ours in HELPERS.items()]),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
