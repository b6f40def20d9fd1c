"""Images that come from a browser: bounded, looked at, and kept until they are uploaded."""

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
"""What servers log for a client that hung up; nobody sees it."""
SUFFIXES = {"BMP": ".bmp", "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


class Refusal(BaseModel):
    """A file that is not taken, and why, in words for its sender."""

    name: str
    reason: str


class Picture(BaseModel):
    """An image that is kept."""

    name: str
    """As its sender calls it; it names the sample, and nothing on this machine."""
    path: str


async def receive(request: Request, folder: Path) -> tuple[list[Picture], list[Refusal]]:
    """
    Keep the images of a form in *folder*, which is made if there are any.

    Raises:
        HTTPException: The form is too large, does not tell its length, or has no files.
    """
    _check_length(request)
    try:
        async with request.form(max_files=MAX_FILES, max_fields=0) as form:
            files = [file for file in form.getlist("images") if isinstance(file, UploadFile)]
            if not files:
                raise HTTPException(422, "There are no images in this form.")
            return await anyio.to_thread.run_sync(_keep_all, files, folder)
    except ClientDisconnect:  # a click on "Cancel", which is no error
        raise HTTPException(CLIENT_CLOSED_REQUEST) from None


def _check_length(request: Request) -> None:
    """Refuse a body before it is read; servers see to it that none is longer than it says."""
    length = request.headers.get("content-length")
    if length is None:
        raise HTTPException(411, "The length of the form is missing.")
    if int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, f"More than {MAX_BODY_BYTES // 1_000_000} MB at once are too much.")


def _keep_all(files: Sequence[UploadFile], folder: Path) -> tuple[list[Picture], list[Refusal]]:
    kept: dict[str, Picture] = {}
    refused = []
    for number, file in enumerate(files):
        name = _name_of(file)
        try:
            if name in kept:
                raise ValueError("Another image has this name.")  # noqa: TRY301 (each reason goes the same way)
            suffix = _suffix_of(file.file)
        except ValueError as error:
            refused.append(Refusal(name=name, reason=str(error)))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number}{suffix}"
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        kept[name] = Picture(name=name, path=str(path))
    return list(kept.values()), refused


def _name_of(file: UploadFile) -> str:
    """Take the name without folders and without what cannot be seen."""
    name = PurePosixPath((file.filename or "").replace("\\", "/")).name
    return "".join(letter for letter in name if letter.isprintable())[-MAX_NAME:] or "image"


def _suffix_of(file: BinaryIO) -> str:
    """
    Tell what kind of image it is, by its content; leaves the file at its beginning.

    Raises:
        ValueError: It is none, in words for its sender.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if not size:
        raise ValueError("The file is empty.")
    if size > MAX_FILE_BYTES:
        raise ValueError(f"The file has more than {MAX_FILE_BYTES // 1_000_000} MB.")
    try:
        with Image.open(file, formats=tuple(SUFFIXES)) as image:
            suffix = SUFFIXES[str(image.format)]
            image.verify()  # its structure, without decoding what may be huge
    except Exception as error:  # what strangers send makes decoders raise anything
        raise ValueError("This is no image: PNG, JPEG, WebP and BMP are.") from error
    file.seek(0)
    return suffix
