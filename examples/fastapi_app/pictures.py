"""Images received from a browser: validated, and stored until they are uploaded."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import anyio.to_thread
from fastapi import HTTPException, Request
from PIL import Image
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FILES = 50
MAX_FILE_BYTES = 20_000_000
MAX_BODY_BYTES = 64_000_000
MAX_NAME = 200
CLIENT_CLOSED_REQUEST = 499
"""The status that servers such as nginx log for a client that disconnected; it is never received."""
SUFFIXES = {"BMP": ".bmp", "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


class RejectedFile(BaseModel):
    """A rejected file and the reason, in terms for the user who sent it."""

    name: str
    reason: str


class Picture(BaseModel):
    """A stored image."""

    name: str
    """The name given by the user. It becomes the sample name and is never used as a path."""
    path: str


async def receive(request: Request, folder: Path) -> tuple[list[Picture], list[RejectedFile]]:
    """
    Store the valid images of a form in *folder*, which is created if needed.

    Raises:
        HTTPException: The form is too large, has no ``Content-Length``, or contains no files.
    """
    _check_length(request)
    try:
        async with request.form(max_files=MAX_FILES, max_fields=0) as form:
            files = [file for file in form.getlist("images") if isinstance(file, UploadFile)]
            if not files:
                raise HTTPException(422, "There are no images in this form.")
            return await anyio.to_thread.run_sync(_save_all, files, folder)
    except ClientDisconnect:  # the user clicked "Cancel", which is not an error
        raise HTTPException(CLIENT_CLOSED_REQUEST) from None


def _check_length(request: Request) -> None:
    """Reject a large body before reading it; servers never pass on more than its declared length."""
    length = request.headers.get("content-length")
    if length is None:
        raise HTTPException(411, "The length of the form is missing.")
    if int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, f"The form is too large; send at most {MAX_BODY_BYTES // 1_000_000} MB at once.")


def _save_all(files: Sequence[UploadFile], folder: Path) -> tuple[list[Picture], list[RejectedFile]]:
    saved: dict[str, Picture] = {}
    refused = []
    for number, file in enumerate(files):
        name = _clean_name(file)
        try:
            if name in saved:
                raise ValueError("Another image has this name.")  # noqa: TRY301 (all reasons are handled below)
            suffix = _detect_suffix(file.file)
        except ValueError as error:
            refused.append(RejectedFile(name=name, reason=str(error)))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number}{suffix}"
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        saved[name] = Picture(name=name, path=str(path))
    return list(saved.values()), refused


def _clean_name(file: UploadFile) -> str:
    """Return the file name without folders and unprintable characters."""
    name = PurePosixPath((file.filename or "").replace("\\", "/")).name
    return "".join(letter for letter in name if letter.isprintable())[-MAX_NAME:] or "image"


def _detect_suffix(file: BinaryIO) -> str:
    """
    Return the suffix for the type of the image, based on its content; rewinds the file.

    Raises:
        ValueError: The file is not a valid image; the message is meant for the user.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if not size:
        raise ValueError("The file is empty.")
    if size > MAX_FILE_BYTES:
        raise ValueError(f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
    try:
        with Image.open(file, formats=tuple(SUFFIXES)) as image:
            suffix = SUFFIXES[str(image.format)]
            image.verify()  # checks the structure without decoding, as the image may be huge
    except Exception as error:  # decoders may raise anything for untrusted files
        raise ValueError("This is not a PNG, JPEG, WebP or BMP image.") from error
    file.seek(0)
    return suffix
