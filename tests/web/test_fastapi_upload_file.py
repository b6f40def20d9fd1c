"""`assets.upload` takes the file that FastAPI hands to a route."""

import pytest
from fastapi import FastAPI, UploadFile
from fastapi.testclient import TestClient

from segments_async import AsyncSegments
from segments_async.fastapi import Segments, add_error_handlers, lifespan


@pytest.fixture
def web(sandbox):
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)))
    add_error_handlers(app)

    @app.post("/files")
    async def receive(file: UploadFile, client: Segments, seek: int = 0, name: str | None = None) -> list:
        await file.seek(seek)
        asset = await client.assets.upload(file, name)
        return [asset.filename, asset.url]

    @app.post("/closed")
    async def closed(file: UploadFile, client: Segments) -> None:
        await file.close()
        await client.assets.upload(file)

    with TestClient(app) as web:
        yield web


@pytest.mark.parametrize("size", [5, 3_000_000])  # in memory, and on disk
def test_it_is_uploaded_under_its_name(web, sandbox, size):
    content = b"abcde" * (size // 5)
    name, url = web.post("/files", files={"file": ("../rose.png", content)}).json()
    assert name == "rose.png"
    assert sandbox.assets() == {url: content}


def test_it_is_read_from_where_it_stands(web, sandbox):
    sent = {"file": ("a.png", b"abcde")}
    name, url = web.post("/files", files=sent, params={"seek": 2, "name": "b.png"}).json()
    assert name == "b.png"
    assert sandbox.assets()[url] == b"cde"


def test_one_that_is_closed(web):
    """As a file of a form is once its request has been answered."""
    answer = web.post("/closed", files={"file": ("a.png", b"abcde")})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("file: cannot be read (ValueError: I/O operation on closed file")


def test_an_empty_one_is_refused(web):
    answer = web.post("/files", files={"file": ("a.png", b"")})
    assert (answer.status_code, answer.json()["detail"]) == (422, "file: is empty: a.png")
