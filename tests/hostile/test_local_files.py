"""The file that was listed is the one that is read; whatever a path or a file object raises is one InputError."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import anyio
import pytest

from segments_async import AsyncSegments, InputError, OutOfResourcesError
from segments_async._transfer.local_files import FoundFile
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for name in ("a.png", "b.png", "c.png"):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "deep" / name).write_bytes(name.encode())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "b.png").write_bytes(b"secret")
    return folder


@pytest.fixture
async def client():
    with Sandbox() as sandbox:
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
            await client.datasets.create("flowers")
            client.uploaded = lambda: sorted(sandbox.assets().values())
            yield client


def link(file, secret):
    file.unlink()
    file.symlink_to(secret / "b.png")


def link_of_the_folder(file, secret):
    file.parent.rename(file.parent.with_name("moved"))
    file.parent.symlink_to(secret)


def other_file(file, _):
    other = file.with_name(".new")
    other.write_bytes(b"b2png")
    other.replace(file)


def pipe(file, _):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("swap", [link, link_of_the_folder, other_file, pipe])
@pytest.mark.parametrize("options", [{}, {"checkpoint": "run.db"}, {"checkpoint": "run.db", "verify": "content"}])
async def test_file_that_is_swapped_after_it_was_found(client, folder, tmp_path, swap, options):
    """It is refused, and what it leads to is not sent."""

    def name(path):
        if path.name == "b.png":  # the run calls this after it has found the file, and before it reads it
            swap(path, tmp_path / "secret")
        return path.name

    options = options | ({"checkpoint": tmp_path / "run.db"} if options else {})
    report = await client.samples.upload_files(DATASET, folder, name=name, **options)

    outcomes = {outcome.key: outcome for outcome in report.results}
    assert isinstance(outcomes["b.png"].error, InputError)
    assert "cannot be read" in str(outcomes["b.png"].error) or "is not a file" in str(outcomes["b.png"].error)
    assert b"secret" not in client.uploaded()
    if swap is not link_of_the_folder:
        assert client.uploaded() == [b"a.png", b"c.png"]


async def test_link_within_the_folder(client, folder):
    """It is read where it led to when it was found; a path that the caller names may lead anywhere."""
    (folder / "again.png").symlink_to(folder / "deep" / "a.png")
    (folder.parent / "named.png").symlink_to(folder.parent / "secret" / "b.png")

    report = await client.samples.upload_files(DATASET, folder)
    named = await client.assets.upload(folder.parent / "named.png")

    assert report.counts["created"] == 4
    assert named.filename == "named.png"
    assert client.uploaded() == [b"a.png", b"a.png", b"b.png", b"c.png", b"secret"]


async def test_file_that_is_found_is_a_path(folder):
    path = folder / "deep" / "a.png"
    found = FoundFile.find(path, path)

    assert found == path
    assert hash(found) == hash(path)
    assert repr(found) == repr(path)
    assert type(pickle.loads(pickle.dumps(found))) is type(path)
    assert found.with_name("b.png").status().st_size == 5
    assert FoundFile.find(folder, folder) is None


class Failing:
    """Raises whatever is done with it."""

    def __init__(self, error):
        self._error = error

    def __fspath__(self):
        raise self._error


class FailingFile:
    name = "a.png"

    def __init__(self, error):
        self._error = error

    def read(self, _):
        raise self._error


class FailingName(io.BytesIO):
    @property
    def name(self):
        raise KeyError("no name")


class FailingRead:
    @property
    def read(self):
        raise LookupError("no read")


class UnspeakableError(Exception):
    def __str__(self):
        raise TypeError


def damaged_member():
    """A member of a zip file whose content does not match its checksum."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.png", b"picture" * 100)
    damaged = content.getvalue().replace(b"picture" * 3, b"pisture" * 3, 1)
    return zipfile.ZipFile(io.BytesIO(damaged)).open("a.png")


ERRORS = [
    RuntimeError("broken"),
    KeyError("a"),
    zipfile.BadZipFile("bad"),
    MemoryError(),
    UnspeakableError(),
    EOFError(),
]
BAD = {
    **{f"path {error!r:.20}": (Failing(error), type(error)) for error in ERRORS},
    **{f"file {error!r:.20}": (FailingFile(error), type(error)) for error in ERRORS},
    "name": (FailingName(b"png"), KeyError),
    "read": (FailingRead(), LookupError),
    "zip": (damaged_member, zipfile.BadZipFile),
    "null": ("a\0b.png", ValueError),
    "null in the folder": (Path("a\0b") / "c.png", ValueError),
    "surrogate": ("\ud800.png", UnicodeEncodeError),
    "bytes": (type("P", (os.PathLike,), {"__fspath__": lambda self: b"a.png"})(), TypeError),
    "int": (type("P", (os.PathLike,), {"__fspath__": lambda self: 7})(), TypeError),
}


@pytest.mark.parametrize("kind", BAD)
async def test_file_that_cannot_be_read(client, kind):
    """An InputError that names the argument and keeps the cause."""
    file, cause = BAD[kind]
    if kind == "zip":
        file = file()
    with pytest.raises(OutOfResourcesError if cause is MemoryError else InputError) as caught:
        await client.assets.upload(file)
    assert caught.value.path == "file"
    assert isinstance(caught.value.__cause__, cause)
    assert str(caught.value).isprintable()
    assert client.uploaded() == []


@pytest.mark.parametrize("name", ["a\0.png", "\ud800.png"])
async def test_filename_that_cannot_be_sent(client, name):
    with pytest.raises(InputError, match="filename") as caught:
        await client.assets.upload(b"png", name)
    assert str(caught.value).isprintable()


async def test_name_that_is_not_unicode(client, tmp_path):
    """A file of such a name needs another one on the service."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    await anyio.Path(path).write_bytes(b"png")
    with pytest.raises(InputError, match="pass another one"):
        await client.assets.upload(path)
    assert (await client.assets.upload(path, "a.png")).filename == "a.png"


@pytest.mark.parametrize(
    "kind", [kind for kind in BAD if kind.startswith(("path", "null", "surrogate", "bytes", "int"))]
)
@pytest.mark.parametrize("verify", ["stat", "content"])
async def test_one_bad_path_among_good_ones(client, folder, tmp_path, kind, verify):
    """It is that item's failure, also where a checkpoint reads the file."""
    good = [folder / "deep" / name for name in ("a.png", "b.png")]
    items = [good[0], {"name": "bad", "files": BAD[kind][0]}, good[1]]

    report = await client.samples.upload_files(DATASET, items, verify=verify, checkpoint=tmp_path / "run.db")

    assert [outcome.status for outcome in sorted(report.results, key=lambda outcome: outcome.index)] == [
        "created",
        "failed",
        "created",
    ]
    [failed] = report.failures
    assert isinstance(failed.error, OutOfResourcesError if BAD[kind][1] is MemoryError else InputError)


class TestDownloadFolder:
    @pytest.fixture
    async def urls(self, client):
        return [(await client.assets.upload(b"png %d" % n, f"{n}.png")).url for n in range(3)]

    @pytest.mark.parametrize("thing", ["folder", "dangling link", "pipe"])
    async def test_name_that_is_taken(self, client, urls, tmp_path, thing):
        """It is that item's failure, before it is fetched; nothing is overwritten."""
        first = await client.assets.download_many(urls, tmp_path)
        [path] = first.results[1].value
        path.unlink()
        if thing == "folder":
            path.mkdir()
        elif thing == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(tmp_path / "nowhere")

        report = await client.assets.download_many(urls, tmp_path)

        assert sorted(outcome.status for outcome in report.results) == ["existing", "existing", "failed"]
        assert str(report.failures[0].error).startswith(
            "items[1].folder: cannot be written (its name is taken)"
        ) or str(report.failures[0].error).startswith("folder: cannot be written (its name is taken)")
        assert not path.is_file()

    async def test_names_that_are_too_long(self, client, urls, tmp_path):
        """A long name of a sample is cut; a path that the system does not take is that sample's failure."""
        sample = {"uuid": "u", "name": "ü" * 3000 + ".png", "attributes": {"image": {"url": urls[0]}}}
        folder = tmp_path
        while len(str(folder)) < 4020:
            folder = folder / ("d" * min(200, 4020 - len(str(folder)) + 10))

        short = await client.assets.download_many([sample], tmp_path / "short")
        report = await client.assets.download_many([sample, urls[1]], folder)

        assert short.counts["created"] == 1
        assert sorted(outcome.status for outcome in report.results) == ["created", "failed"]
        assert isinstance(report.failures[0].error, InputError)
        assert "too long" in str(report.failures[0].error)
        assert len(list(folder.iterdir())) == 1
