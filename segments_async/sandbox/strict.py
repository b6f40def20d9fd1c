"""What a careful client would not send, although the service accepts it."""

from __future__ import annotations

import re
from collections import Counter
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from segments_async.sandbox.views.datasets import CHECKS as DATASET_CHECKS
from segments_async.sandbox.views.labels import LABEL_STATUSES

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from segments_async.sandbox.routing import Template
    from segments_async.sandbox.state import Dataset, State

MAX_PER_PAGE = 1000
MAX_PROBLEMS = 20
"""For one request."""
MAX_WORD = 64
"""Maximum characters of a key that is quoted."""
MAX_DEPTH = 4
"""How deep annotations are: in a frame of a sensor of the attributes."""
MAX_SAME_READS = 3
"""How often the same GET may be answered while nothing is written."""
MAX_SINGLE_SAMPLES = 100
"""How many samples may be created one by one, in a row."""

_WITHOUT_SLASH = (("user",), ("users", None), ("datasets", None, None, "collaborators", None))
"""The routes whose path has no slash at the end."""
_SAMPLE = frozenset({"name", "attributes", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme"})
_BODY_KEYS: Mapping[tuple[str | None, ...], frozenset[str]] = {
    ("datasets",): frozenset({*DATASET_CHECKS, "data_type", "tags"}),
    ("clone",): frozenset({"name", "task_type", "public", "owner", "clone_labels"}),
    ("collaborators",): frozenset({"user", "role"}),
    ("samples",): _SAMPLE,
    ("labels",): frozenset({"attributes", "label_status", "score"}),
    ("labelsets",): frozenset({"name", "description", "attributes"}),
    ("releases",): frozenset({"name", "description"}),
    ("issues",): frozenset({"description", "status", "anchor", "tags"}),
    ("assets",): frozenset({"filename"}),
}
_PAGE = frozenset({"per_page", "page"})
_QUERY_KEYS: Mapping[Template, frozenset[str]] = {
    ("api_status",): frozenset({"lib_version"}),
    ("user", "datasets"): _PAGE,
    ("users", None, "datasets"): _PAGE,
    ("datasets", None, None, "samples"): _PAGE
    | {"labelset", "include_full_label", "name__contains", "filters", "label_status", "sort"},
    ("datasets", None, None, "workunits"): _PAGE | {"sort", "start", "end", "include_session_time_metrics"},
    ("samples", None): frozenset({"labelset", "include_signed_urls"}),
}
_SORTS = frozenset({"name", "created_at", "priority", "gt_label__updated_at"})
_GZIP = frozenset({"samples", "samples_bulk", "labels"})
_ANNOTATION_TYPES = frozenset({"bbox", "polygon", "polyline", "point", "cuboid", "cuboid-sync"})
_UNENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]")


@frozen
class Remark:
    """
    Something that a careful client would not have sent.

    Example:
        >>> print(Remark("GET", "/user/datasets/", "per_page=5000 is more than 1000"))
        GET /user/datasets/: per_page=5000 is more than 1000
    """

    method: str
    """The HTTP method of the request."""
    path: str
    """The path as sent."""
    problem: str
    """What should not have been sent."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.problem}"


@define(eq=False)
class Reviewer:
    """Adds what is careless about requests to *remarks*."""

    remarks: deque[Remark]
    state: State
    _reads: Counter[str] = field(factory=Counter)
    """Reads since the last write."""
    _single_samples: int = 0

    def reset(self) -> None:
        """Forget all requests."""
        self.remarks.clear()
        self._reads.clear()
        self._single_samples = 0

    def review(self, request: Request, template: Template, names: list[str], data: Any, status: int) -> None:
        """Review a request to the API."""
        problems = self._problems(request, template, names, data, status)
        for problem in islice(problems, MAX_PROBLEMS):
            self._add(request, problem)

    def review_storage(self, request: Request) -> None:
        """Review a request to the storage."""
        if "authorization" in request.headers:
            self._add(request, "the API key must not be sent to the storage")
        if "user-agent" not in request.headers:
            self._add(request, "no User-Agent")

    def _add(self, request: Request, problem: str) -> None:
        self.remarks.append(Remark(request.method, request.scope["raw_path"].decode("ascii"), problem))

    def _problems(
        self, request: Request, template: Template, names: list[str], data: Any, status: int
    ) -> Iterator[str]:
        if "user-agent" not in request.headers:
            yield "no User-Agent"
        yield from _path_problems(request.scope["raw_path"].decode("ascii"), template)
        yield from _query_problems(request, template)
        yield from _body_problems(request, template, data)
        yield from self._repetition_problems(request, template, status)
        if template[0] == "labels" and isinstance(data, dict):
            sample = self.state.samples.get(names[0])
            yield from _label_problems(data, None if sample is None else sample.dataset)

    def _repetition_problems(self, request: Request, template: Template, status: int) -> Iterator[str]:
        if request.method != "GET":
            self._reads.clear()
            is_single = request.method == "POST" and template == ("datasets", None, None, "samples")
            self._single_samples = self._single_samples + 1 if is_single else 0
            if self._single_samples == MAX_SINGLE_SAMPLES + 1:
                yield f"more than {MAX_SINGLE_SAMPLES} samples one by one; samples_bulk takes many at a time"
        elif status == 200 and "releases" not in template and template != ("api_status",):  # noqa: PLR2004
            path, query = request.scope["raw_path"], request.scope["query_string"]
            read = f"{request.headers.get('authorization')} {path}?{query}"
            self._reads[read] += 1
            if self._reads[read] == MAX_SAME_READS + 1:
                yield f"read more than {MAX_SAME_READS} times although nothing was written"


def _path_problems(path: str, template: Template) -> Iterator[str]:
    if path.endswith("/") is (template in _WITHOUT_SLASH):
        yield f"the path {'should have no' if template in _WITHOUT_SLASH else 'needs a'} slash at the end"
    if found := _UNENCODED.search(path):
        yield f"{found[0]!r} in the path is not percent-encoded"


def _query_problems(request: Request, template: Template) -> Iterator[str]:
    known = _QUERY_KEYS.get(template, frozenset()) if request.method == "GET" else frozenset()
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if name not in known:
            yield f"unknown parameter {name[:MAX_WORD]!r}{_hint(name, known)}"
        elif count > 1:
            yield f"the parameter {name!r} is given {count} times"
        else:
            yield from _value_problems(name, request.query_params[name])
    if "include_full_label" in counts and "labelset" not in counts:
        yield "include_full_label has no effect without labelset"


def _value_problems(name: str, value: str) -> Iterator[str]:
    value = value[:MAX_WORD]
    if name in _PAGE and not (value.isdecimal() and int(value) >= 1):
        yield f"{name}={value} is not a number from 1"
    elif name == "per_page" and int(value) > MAX_PER_PAGE:
        yield f"per_page={value} is more than {MAX_PER_PAGE}"
    elif name == "sort" and value.removeprefix("-") not in _SORTS:
        yield f"sort={value} is unknown"
    elif name == "label_status":
        yield from (problem for word in value.split(",") for problem in _status_problems(word))
    elif name == "filters":
        yield from (f"the condition {part!r} has no colon" for part in value.split(",") if ":" not in part)
    elif name in {"include_full_label", "include_signed_urls"} and value != "1":
        yield f"{name}={value} has no effect; expected 1"


def _status_problems(word: Any) -> Iterator[str]:
    if isinstance(word, str) and word not in LABEL_STATUSES:
        known = word.upper() in LABEL_STATUSES
        yield f"the label status {word[:MAX_WORD]!r} is {'not in upper case' if known else 'unknown'}"


def _body_problems(request: Request, template: Template, data: Any) -> Iterator[str]:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    resource = next(part for part in reversed(template) if part is not None)
    if request.method in {"GET", "HEAD"}:
        if has_body:
            yield "a body, which has no effect"
        return
    if "content-encoding" in request.headers and resource not in _GZIP:
        yield "a compressed body, which this route may not accept"
    if request.method == "DELETE":
        if has_body and resource != "samples_bulk":
            yield "a body, which has no effect"
        return
    if not has_body or data == {}:
        yield "nothing to write: the body is empty"
    items = data if isinstance(data, list) else [data]
    known = _BODY_KEYS.get((resource.removesuffix("_bulk"),), frozenset())
    unknown = {key for item in items if isinstance(item, dict) for key in item.keys() - known}
    yield from (f"unknown key {key[:MAX_WORD]!r}{_hint(key, known)}" for key in sorted(unknown))
    if isinstance(data, dict) and data.get("task_type") == "bbox":
        yield "the task type 'bbox' is called 'bboxes'"
    names = Counter(item.get("name") for item in items if isinstance(item, dict) and isinstance(item.get("name"), str))
    yield from (
        f"the name {str(name)[:MAX_WORD]!r} is given {count} times" for name, count in names.items() if count > 1
    )


def _label_problems(data: Mapping[str, Any], dataset: Dataset | None) -> Iterator[str]:
    yield from _status_problems(data.get("label_status"))
    found = list(_annotations(data.get("attributes")))
    categories = set() if dataset is None else _categories_of(dataset)
    used = {annotation["category_id"] for annotation in found if isinstance(annotation.get("category_id"), int)}
    for category in sorted(used - categories) if categories else ():
        yield f"the dataset has no category {category!r}"
    kinds = {annotation["type"] for annotation in found if isinstance(annotation.get("type"), str)}
    for kind in sorted(kinds - _ANNOTATION_TYPES):
        yield f"unknown type of annotation {kind[:MAX_WORD]!r}{_hint(kind, _ANNOTATION_TYPES)}"


def _categories_of(dataset: Dataset) -> set[int]:
    categories = (dataset.record.get("task_attributes") or {}).get("categories")
    found = categories if isinstance(categories, list) else ()
    return {one["id"] for one in found if isinstance(one, dict) and isinstance(one.get("id"), int)}


def _annotations(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Iterate over the annotations of a label, of its frames and of its sensors."""
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return
    annotations = value.get("annotations")
    yield from (one for one in annotations if isinstance(one, dict)) if isinstance(annotations, list) else ()
    for key in ("frames", "sensors"):
        frames = value.get(key)
        for inner in frames if isinstance(frames, list) else ():
            yield from _annotations(inner, depth + 1)
    yield from _annotations(value.get("attributes"), depth + 1)


def _hint(word: str, known: frozenset[str]) -> str:
    near = get_close_matches(word, known, n=1) if len(word) <= MAX_WORD else ()
    return f"; did you mean {near[0]!r}?" if near else ""
