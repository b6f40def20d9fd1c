"""
Every route of the service that this client calls, each declared once.

``docs/service.md``, "Endpoints", lists the paths, their trailing slashes and which requests may be repeated. A
`Repeat.NEVER` route creates something: `create_once` and `create_unnamed` handle a lost response.
"""

from __future__ import annotations

from segments_async._wire.endpoint import Endpoint, Repeat

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
CREATE_OWN_DATASET = Endpoint(method="POST", path="/user/datasets/", repeat=Repeat.NEVER)
CREATE_DATASET_IN = Endpoint(method="POST", path="/organizations/{organization}/datasets/", repeat=Repeat.NEVER)
UPDATE_DATASET = Endpoint(method="PATCH", path="/datasets/{dataset}/")
DELETE_DATASET = Endpoint(method="DELETE", path="/datasets/{dataset}/")
CLONE_DATASET = Endpoint(method="POST", path="/datasets/{dataset}/clone/", repeat=Repeat.NEVER, read_timeout=_SLOW)

ADD_COLLABORATOR = Endpoint(method="POST", path="/datasets/{dataset}/collaborators/", repeat=Repeat.NEVER)
GET_COLLABORATOR = Endpoint(method="GET", path="/datasets/{dataset}/collaborators/{user}")
UPDATE_COLLABORATOR = Endpoint(method="PATCH", path="/datasets/{dataset}/collaborators/{user}")
REMOVE_COLLABORATOR = Endpoint(method="DELETE", path="/datasets/{dataset}/collaborators/{user}")

LIST_SAMPLES = Endpoint(method="GET", path="/datasets/{dataset}/samples/", read_timeout=_SLOW)
CREATE_SAMPLE = Endpoint(method="POST", path="/datasets/{dataset}/samples/", repeat=Repeat.NEVER, gzip=True)
CREATE_SAMPLES = Endpoint(method="POST", path="/datasets/{dataset}/samples_bulk/", gzip=True, read_timeout=_SLOW)
"""Safe to repeat: the service returns an existing sample of the same name unchanged."""
DELETE_SAMPLES = Endpoint(method="DELETE", path="/datasets/{dataset}/samples_bulk/", read_timeout=_SLOW)
GET_SAMPLE = Endpoint(method="GET", path="/samples/{uuid}/")
UPDATE_SAMPLE = Endpoint(method="PATCH", path="/samples/{uuid}/", gzip=True)
DELETE_SAMPLE = Endpoint(method="DELETE", path="/samples/{uuid}/")

GET_LABEL = Endpoint(method="GET", path="/labels/{sample_uuid}/{labelset}/", result_keys=_LABEL)
PUT_LABEL = Endpoint(method="PUT", path="/labels/{sample_uuid}/{labelset}/", gzip=True, result_keys=_LABEL)
UPDATE_LABEL = Endpoint(method="PATCH", path="/labels/{sample_uuid}/{labelset}/", gzip=True, result_keys=_LABEL)
DELETE_LABEL = Endpoint(method="DELETE", path="/labels/{sample_uuid}/{labelset}/")

LIST_LABELSETS = Endpoint(method="GET", path="/datasets/{dataset}/labelsets/")
GET_LABELSET = Endpoint(method="GET", path="/datasets/{dataset}/labelsets/{name}/")
CREATE_LABELSET = Endpoint(method="POST", path="/datasets/{dataset}/labelsets/", repeat=Repeat.NEVER)
DELETE_LABELSET = Endpoint(method="DELETE", path="/datasets/{dataset}/labelsets/{name}/")

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
