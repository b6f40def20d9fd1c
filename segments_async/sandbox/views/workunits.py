"""Work units: records of the time spent on samples."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from segments_async.sandbox.paging import get_page
from segments_async.sandbox.problems import RefusedError, json_response
from segments_async.sandbox.routing import ApiRequest, Routes

if TYPE_CHECKING:
    from starlette.responses import Response

    from segments_async.sandbox.state import Record, Sample

_METRICS = "session_time_metrics"

routes: Routes = Routes()


def workunit_json(sample: Sample, workunit: Record) -> Record:
    """Return *workunit* as the API returns it, including its metrics."""
    return workunit | {"sample_uuid": sample.uuid, "sample_name": sample.record["name"]}


@routes.route("GET", "datasets/{owner}/{name}/workunits")
def list_workunits(request: ApiRequest, owner: str, name: str) -> Response:
    """List a page of the work units created in a time range."""
    query, start, end = request.query, _parse_time(request, "start"), _parse_time(request, "end")
    found = [
        workunit_json(sample, workunit)
        for sample in request.state.dataset(owner, name).samples.values()
        for workunit in sample.workunits
    ]
    if start is not None:
        found = [workunit for workunit in found if _created_at(workunit) >= start]
    if end is not None:
        found = [workunit for workunit in found if _created_at(workunit) <= end]
    found.sort(key=_created_at, reverse=query.get("sort", "-created_at").startswith("-"))
    page = get_page(found, query, request.state.max_per_page)
    if query.get("include_session_time_metrics") != "true":
        page = [{key: value for key, value in workunit.items() if key != _METRICS} for workunit in page]
    return json_response(page)


def _created_at(workunit: Record) -> datetime:
    return datetime.fromisoformat(workunit["created_at"])


def _parse_time(request: ApiRequest, name: str) -> datetime | None:
    if name not in request.query:
        return None
    try:
        time = datetime.fromisoformat(request.query[name])
    except ValueError:
        raise RefusedError(400, {name: ["Enter a valid date/time."]}) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
