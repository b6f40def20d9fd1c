"""Users, organizations and the API status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.sandbox.problems import json_response
from segments_async.sandbox.routing import ApiRequest, Routes

if TYPE_CHECKING:
    from starlette.responses import Response

    from segments_async.sandbox.state import Record, State


routes: Routes = Routes()


@routes.route("GET", "api_status")
def api_status(_: ApiRequest) -> Response:
    """Return the API status, which is always ``ok``."""
    return json_response({"status": "ok"})


@routes.route("GET", "user")
def get_own_user(request: ApiRequest) -> Response:
    """Return the user that the API key belongs to."""
    return json_response(_account_json(request.state, request.user, request.user))


@routes.route("GET", "users/{name}")
def get_user(request: ApiRequest, name: str) -> Response:
    """Return a user or an organization."""
    return json_response(_account_json(request.state, name, request.user))


def _account_json(state: State, name: str, user: str) -> Record:
    """Return an account as JSON, with more fields if *user* is that account or a member of that organization."""
    account = state.account(name)
    if user in state.members.get(name, {}):
        return account | _plan(state, name) | _membership(state, name, user)
    if name != user:
        return account
    joined = [
        state.account(organization) | {"organization_role": members[user]}
        for organization, members in state.members.items()
        if user in members
    ]
    return account | _plan(state, name) | {"organizations": joined}


def _membership(state: State, organization: str, user: str) -> Record:
    members = state.members[organization]
    return {
        "organization_created_by": next(iter(members)),
        "organization_role": members[user],
        "members": [state.account(name) | {"organization_role": role} for name, role in members.items()],
    }


def _plan(state: State, name: str) -> Record:
    """Return the subscription and usage fields of an account."""
    counts = {True: 0, False: 0}
    for dataset in state.datasets.values():
        if dataset.owner == name:
            counts[dataset.record["public"]] += len(dataset.samples)
    return {
        "webhooks_enabled": True,
        "private_upload_count": counts[False],
        "public_upload_count": counts[True],
        "subscription": "ENTERPRISE",
        "is_trial_expired": False,
    }
