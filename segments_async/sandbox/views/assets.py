"""Assets: the API only returns the presigned form; the file is uploaded to the storage."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

from segments_async.sandbox.checks import nonblank, validate
from segments_async.sandbox.problems import json_response
from segments_async.sandbox.routing import ApiRequest, Routes

if TYPE_CHECKING:
    from starlette.responses import Response


routes: Routes = Routes()


@routes.route("POST", "assets")
def create_asset(request: ApiRequest) -> Response:
    """Create an asset and return the presigned form to upload its file."""
    validate(request.data, {"filename": nonblank}, ["filename"])
    uuid, filename = str(uuid4()), request.data["filename"]
    suffix = PurePosixPath(filename).suffix
    key = f"assets/{request.user}/{uuid}{suffix if suffix[1:].isalnum() else ''}"
    content_type = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    asset = request.data | {
        "uuid": uuid,
        "filename": filename,
        "url": request.state.store.public_url(key),
        "created_at": request.state.now(),
        "presignedPostFields": {
            "url": f"{request.state.store.origin}/",
            "fields": request.state.store.signer.post_fields(key, content_type),
        },
    }
    return json_response(asset, 201)
