"""What `upload_files` finds in a folder or with a pattern, and in which order."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from bulk_checks import check_report, names_on
from hypothesis import given, strategies

from segments_async import ApiError, InputError
from segments_async.resources.samples.find_files import FoundFiles
from segments_async.resources.samples.walk import UnreadableFolder, expand_braces, natural_key, walk

pytestmark = pytest.mark.anyio
one_backend = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" + name.encode())
    return folder


async def found(where, root, ignore=()):
    files = FoundFiles(where, ignore)
    await files.open()
    return [path.relative_to(root).as_posix() for path in files]


@one_backend
async def test_natural_order(tmp_path):
    """Within each folder, whatever order the disk returns: 9 before 10, files before folders."""
    names = [
        "img10.png",
        "img9.png",
        "IMG1.png",
        "b/2.png",
        "b/10.png",
        "b/1.png",
        "a10/x.png",
        "a9/x.png",
        "img9b.png",
    ]
    make(tmp_path, *names)
    expected = ["IMG1.png", "img9.png", "img9b.png", "img10.png"]
    expected += ["a9/x.png", "a10/x.png", "b/1.png", "b/2.png", "b/10.png"]
    assert await found(tmp_path, tmp_path) == expected
    assert await found(tmp_path / "**" / "*.png", tmp_path) == expected
    assert await found(tmp_path / "b" / "*", tmp_path) == expected[-3:]


@given(strategies.lists(strategies.text(max_size=8)))
def test_every_name_has_a_place(names):
    assert sorted(sorted(names, key=natural_key)) == sorted(names)
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@one_backend
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("run[1]/*.jpg", ["run[1]/a.jpg"]),
        ("run[1]", ["run[1]/a.jpg", "run[1]/b.png"]),
        ("run[1]/**", ["run[1]/a.jpg", "run[1]/b.png"]),
        ("run[12]/*.jpg", ["run1/a.jpg", "run2/c.jpg"]),
        ("*/a.jpg", ["run1/a.jpg", "run[1]/a.jpg", "run{x,y}/a.jpg"]),
        ("run[1]/*.{jpg,png}", ["run[1]/a.jpg", "run[1]/b.png"]),
        ("run{1,2}/*.{jpg,png}", ["run1/a.jpg", "run2/c.jpg"]),
        ("{run1,**}/a.jpg", ["run1/a.jpg", "run[1]/a.jpg", "run{x,y}/a.jpg"]),
        ("run{x,y}/*.jpg", ["run{x,y}/a.jpg"]),
        ("**/a.*", ["run1/a.jpg", "run[1]/a.jpg", "run{x,y}/a.jpg"]),
    ],
)
async def test_patterns(tmp_path, pattern, expected):
    """What exists is taken literally, however much it looks like a pattern."""
    make(tmp_path, "run1/a.jpg", "run2/c.jpg", "run[1]/a.jpg", "run[1]/b.png", "run{x,y}/a.jpg")
    assert await found(f"{tmp_path}/{pattern}", tmp_path) == expected


def test_braces():
    assert expand_braces("a.{jpg,{png,tif}}") == ["a.jpg", "a.png", "a.tif"]
    assert expand_braces("{a,b}{1,2}") == ["a1", "a2", "b1", "b2"]
    assert expand_braces("{a}{,b}") == ["{a}", "{a}b"]


@one_backend
async def test_what_is_left_out(tmp_path):
    """Files of operating systems always, and what `ignore` names; not a file that is named itself."""
    make(tmp_path, "a.png", "Thumbs.db", "thumbs.db", ".DS_Store", "desktop.ini", "b/Desktop.ini", "b/c.tmp", "b/d.png")
    make(tmp_path, "raw/e.png", "b/raw/f.png")
    assert await found(tmp_path, tmp_path) == ["a.png", "b/c.tmp", "b/d.png", "b/raw/f.png", "raw/e.png"]
    assert await found(tmp_path, tmp_path, ["*.tmp", "raw"]) == ["a.png", "b/d.png"]
    assert await found(tmp_path, tmp_path, ["*.{tmp,gif}", "b/raw"]) == ["a.png", "b/d.png", "raw/e.png"]
    assert await found(tmp_path / "**/*.png", tmp_path, ["b/*"]) == ["a.png", "raw/e.png"]
    assert await found(tmp_path / "Thumbs.db", tmp_path) == ["Thumbs.db"]


@pytest.fixture
def deep(tmp_path, monkeypatch):
    """Folders in folders: 1,100 of them, and 40 whose path is too long for the system."""
    for name, count in (("d", 1100), ("f" * 100, 40)):
        monkeypatch.chdir(tmp_path)
        for _ in range(count):
            Path(name).mkdir()
            os.chdir(name)
            if len(name) > 1:
                Path("a.jpg").write_bytes(b"x")
        Path("b.jpg").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("d", "f" * 100):
        subprocess.run(["rm", "-rf", name], cwd=tmp_path, check=True)  # pytest cannot delete it


@one_backend
async def test_folders_in_folders(client, flowers, deep):
    """However deep; a path that is too long is the failure of that item."""
    report = await client.samples.upload_files(flowers, deep, name=lambda path: str(len(path.parts)))

    reached = [outcome for outcome in report.results if outcome.status == "created"]
    assert len(reached) >= 35
    assert max(int(outcome.key) for outcome in reached) > 1100
    assert all("File name too long" in str(outcome.error) for outcome in report.failures)
    assert report.total > len(reached)


@one_backend
async def test_bad_ignore(client, flowers, tmp_path):
    make(tmp_path, "a.png")
    for files, ignore, words in [
        (tmp_path, "*.tmp", "ignore: expected a list of patterns, got a single string"),
        (tmp_path, ["a", 7], r"ignore\[1\]: expected a string, got int"),
        ([tmp_path / "a.png"], ["a"], "ignore: needs a folder or a pattern as 'files'"),
    ]:
        with pytest.raises(InputError, match=f"^{words}$"):
            await client.samples.upload_files(flowers, files, ignore=ignore)


async def test_folder_that_cannot_be_read(client, sandbox, flowers, tmp_path, monkeypatch):
    """It is a failure with its path, and the other files are uploaded."""
    make(tmp_path, "a.png", "locked/b.png", "open/c.png")
    locked, scan = str(tmp_path / "locked"), os.scandir

    def scandir(path="."):
        if os.fspath(path) == locked:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = await client.samples.upload_files(flowers, tmp_path)

    check_report(report)
    assert sorted(names_on(sandbox)) == ["a.png", "c.png"]
    [failure] = report.failures
    assert str(failure.error) == f"files[1]: the folder cannot be read (Permission denied): {locked}"
    assert os.fspath(failure.item) == locked
    assert list(walk(locked, "*")) == [UnreadableFolder(locked, "Permission denied")]


async def test_total_is_known_before_the_first_upload(client, sandbox, flowers, tmp_path):
    """So that a bar shows it from the start."""
    make(tmp_path, *(f"{number}.png" for number in range(30)))
    seen = []
    report = await client.samples.upload_files(flowers, tmp_path, progress=seen.append, ignore=["2*"])
    report.raise_if_failed()
    assert {progress.total for progress in seen} == {19}
    assert [outcome.key for outcome in report.results[:3]] == ["0.png", "1.png", "3.png"]


class TestExpiredAddress:
    EXPIRED = "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"

    async def test_another_one_is_requested(self, client, sandbox, flowers, tmp_path):
        make(tmp_path, "a.png")
        sandbox.fail("POST", "/", origin="storage", status=403, body=self.EXPIRED, times=2)
        report = await client.samples.upload_files(flowers, tmp_path)
        report.raise_if_failed()
        assert len([call for call in sandbox.calls if call.path == "/assets/"]) == 3
        [url] = [record["attributes"]["image"]["url"] for record in sandbox.samples("sandbox/flowers")]
        assert url in sandbox.assets()

    async def test_not_for_ever(self, client, sandbox, flowers, tmp_path):
        """A clock that is wrong makes every address expire."""
        make(tmp_path, "a.png", "b.png")
        sandbox.fail("POST", "/", origin="storage", status=403, body=self.EXPIRED, times=None)
        report = await client.samples.upload_files(flowers, tmp_path)
        assert [(type(o.error), o.error.status) for o in report.failures] == [(ApiError, 403)] * 2
        assert len([call for call in sandbox.calls if call.path == "/assets/"]) == 6

    async def test_another_refusal_is_an_error_at_once(self, client, sandbox, flowers, tmp_path):
        make(tmp_path, "a.png")
        sandbox.fail("POST", "/", origin="storage", status=403, body="<Error><Code>AccessDenied</Code></Error>")
        report = await client.samples.upload_files(flowers, tmp_path)
        assert report.failed == 1
        assert len([call for call in sandbox.calls if call.path == "/assets/"]) == 1
