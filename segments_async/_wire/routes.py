"""
Every route of the service that this client calls, each declared once.

``docs/service.md``, "Endpoints", lists the paths, their trailing slashes and which requests may be repeated. A
`Repeat.NEVER` route creates something: `create_once` and `create_unrepeatable` handle a lost response.
"""

from __future__ import annotations

from segments_async._wire.endpoint import Endpoint, Repeat, Writes

_SLOW = 120.0
"""Read timeout in seconds of routes that process many items at once."""
_LABEL = frozenset({"attributes", "label_status"})
"""A label may lack one of these keys, but not both."""

API_STATUS = Endpoint(method="GET", path="/api_status/")

GET_ME = Endpoint(method="GET", path="/user")
GET_USER = Endpoint(method="GET", path="/users/{username}")

LIST_OWN_DATASETS = Endpoint(method="GET", path="/user/datasets/")
LIST_DATASETS_OF = Endpoint(method="GET", path="/users/{owner}/datasets/")
GET_DATASET = Endpoint(method="GET", path="/datasets/{dataset}/")
CREATE_OWN_DATASET = Endpoint(method="POST", path="/user/datasets/", repeat=Repeat.NEVER, writes=Writes.DATASETS)
CREATE_DATASET_IN = Endpoint(
    method="POST", path="/organizations/{organization}/datasets/", repeat=Repeat.NEVER, writes=Writes.DATASETS
)
UPDATE_DATASET = Endpoint(method="PATCH", path="/datasets/{dataset}/", writes=Writes.DATASET_FIELDS)
DELETE_DATASET = Endpoint(method="DELETE", path="/datasets/{dataset}/", writes=Writes.DATASETS)
CLONE_DATASET = Endpoint(
    method="POST", path="/datasets/{dataset}/clone/", repeat=Repeat.NEVER, read_timeout=_SLOW, writes=Writes.DATASETS
)

ADD_COLLABORATOR = Endpoint(method="POST", path="/datasets/{dataset}/collaborators/", repeat=Repeat.NEVER)
GET_COLLABORATOR = Endpoint(method="GET", path="/datasets/{dataset}/collaborators/{user}")
UPDATE_COLLABORATOR = Endpoint(method="PATCH", path="/datasets/{dataset}/collaborators/{user}")
REMOVE_COLLABORATOR = Endpoint(method="DELETE", path="/datasets/{dataset}/collaborators/{user}")

LIST_SAMPLES = Endpoint(method="GET", path="/datasets/{dataset}/samples/", read_timeout=_SLOW)
CREATE_SAMPLE = Endpoint(
    method="POST", path="/datasets/{dataset}/samples/", repeat=Repeat.NEVER, gzip=True, writes=Writes.SAMPLES
)
CREATE_SAMPLES = Endpoint(
    method="POST", path="/datasets/{dataset}/samples_bulk/", gzip=True, read_timeout=_SLOW, writes=Writes.SAMPLES
)
"""Safe to repeat: the service returns an existing sample of the same name unchanged."""
DELETE_SAMPLES = Endpoint(
    method="DELETE", path="/datasets/{dataset}/samples_bulk/", read_timeout=_SLOW, writes=Writes.SAMPLES
)
GET_SAMPLE = Endpoint(method="GET", path="/samples/{uuid}/")
UPDATE_SAMPLE = Endpoint(method="PATCH", path="/samples/{uuid}/", gzip=True, writes=Writes.SAMPLE_FIELDS)
DELETE_SAMPLE = Endpoint(method="DELETE", path="/samples/{uuid}/", writes=Writes.SAMPLES)

GET_LABEL = Endpoint(method="GET", path="/labels/{sample_uuid}/{labelset}/", result_keys=_LABEL)
PUT_LABEL = Endpoint(
    method="PUT", path="/labels/{sample_uuid}/{labelset}/", gzip=True, result_keys=_LABEL, writes=Writes.LABELS
)
UPDATE_LABEL = Endpoint(
    method="PATCH", path="/labels/{sample_uuid}/{labelset}/", gzip=True, result_keys=_LABEL, writes=Writes.LABELS
)
DELETE_LABEL = Endpoint(method="DELETE", path="/labels/{sample_uuid}/{labelset}/", writes=Writes.LABELS)

LIST_LABELSETS = Endpoint(method="GET", path="/datasets/{dataset}/labelsets/")
GET_LABELSET = Endpoint(method="GET", path="/datasets/{dataset}/labelsets/{name}/")
CREATE_LABELSET = Endpoint(method="POST", path="/datasets/{dataset}/labelsets/", repeat=Repeat.NEVER)
DELETE_LABELSET = Endpoint(method="DELETE", path="/datasets/{dataset}/labelsets/{name}/", writes=Writes.LABELS)

LIST_RELEASES = Endpoint(method="GET", path="/datasets/{dataset}/releases/")
GET_RELEASE = Endpoint(method="GET", path="/datasets/{dataset}/releases/{name}/")
CREATE_RELEASE = Endpoint(method="POST", path="/datasets/{dataset}/releases/", repeat=Repeat.NEVER)
DELETE_RELEASE = Endpoint(method="DELETE", path="/datasets/{dataset}/releases/{name}/")

LIST_ISSUES = Endpoint(method="GET", path="/datasets/{dataset}/issues/")
CREATE_ISSUE = Endpoint(method="POST", path="/samples/{sample_uuid}/issues/", repeat=Repeat.NEVER)
UPDATE_ISSUE = Endpoint(method="PATCH", path="/issues/{uuid}/")
DELETE_ISSUE = Endpoint(method="DELETE", path="/issues/{uuid}/")

LIST_WORKUNITS = Endpoint(method="GET", path="/datasets/{dataset}/workunits/")

CREATE_ASSET = Endpoint(method="POST", path="/assets/")

WRITES: tuple[Endpoint, ...] = (
    *(CREATE_OWN_DATASET, CREATE_DATASET_IN, UPDATE_DATASET, DELETE_DATASET, CLONE_DATASET),
    *(CREATE_SAMPLE, CREATE_SAMPLES, DELETE_SAMPLES, UPDATE_SAMPLE, DELETE_SAMPLE),
    *(PUT_LABEL, UPDATE_LABEL, DELETE_LABEL, DELETE_LABELSET),
)
"""The routes that change what a list in pages shows."""
