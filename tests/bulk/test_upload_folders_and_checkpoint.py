"""Uploads from folders and patterns, names of files, and checkpoints: no uploaded file is sent again."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sqlite3

import pytest
from bulk_checks import check_report, names_on

from segments_async import Asset, AsyncSegments, FileSample, Hooks, InputError

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for name in ("a.png", "b.png", "deep/c.png", "deep/er/d.jpg", ".hidden.png", ".git/e.png"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture " + name.encode())
    return folder


def uploads(sandbox):
    return [call for call in sandbox.calls if call.origin == "storage"]


def urls(sandbox):
    return {record["name"]: record["attributes"]["image"]["url"] for record in sandbox.samples("sandbox/flowers")}


class TestFinding:
    async def test_folder(self, client, sandbox, flowers, folder):
        report = await client.samples.upload_files(flowers, folder)
        check_report(report)
        assert sorted(names_on(sandbox)) == ["a.png", "b.png", "c.png", "d.jpg"]

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*.png", ["a.png", "b.png"]),
            ("**/*.png", ["a.png", "b.png", "c.png"]),
            ("**", ["a.png", "b.png", "c.png", "d.jpg"]),
            ("deep/*/*", ["d.jpg"]),
            ("[ab].png", ["a.png", "b.png"]),
            (".*.png", [".hidden.png"]),
            ("a.png", ["a.png"]),
        ],
    )
    async def test_pattern(self, client, sandbox, flowers, folder, pattern, names):
        report = await client.samples.upload_files(flowers, f"{folder}/{pattern}")
        report.raise_if_failed()
        assert sorted(names_on(sandbox)) == names

    async def test_links_out_of_the_folder_are_not_followed(self, client, sandbox, flowers, folder, tmp_path, caplog):
        secret = tmp_path / "secret"
        secret.mkdir()
        (secret / "key.png").write_bytes(b"secret")
        (folder / "link.png").symlink_to(secret / "key.png")
        (folder / "linked").symlink_to(secret)
        (folder / "again.png").symlink_to(folder / "a.png")
        (folder / "broken.png").symlink_to(folder / "nowhere")
        (folder / "loop").symlink_to(folder)

        with caplog.at_level(logging.WARNING, "segments_async"):
            report = await client.samples.upload_files(flowers, folder)
            await client.samples.upload_files(flowers, f"{folder}/*/*.png")

        report.raise_if_failed()
        assert sorted(names_on(sandbox)) == ["a.png", "again.png", "b.png", "c.png", "d.jpg"]
        assert "points outside" in caplog.text
        assert "link.png" in caplog.text

    @pytest.mark.parametrize(
        ("where", "words"),
        [
            ("nowhere", "no such file or folder"),
            ("nowhere/*.png", "no such file or folder: '.*nowhere'"),
            ("*.tif", "nothing to upload: no file matches"),
            ("empty", "nothing to upload"),
        ],
    )
    async def test_nothing_found_is_an_error(self, client, sandbox, flowers, folder, where, words):
        (folder / "empty").mkdir()
        sandbox.clear_calls()
        with pytest.raises(InputError, match=words) as caught:
            await client.samples.upload_files(flowers, folder / where)
        assert caught.value.path == "files"
        assert sandbox.calls == ()

    async def test_names(self, client, sandbox, flowers, folder):
        """Files with the same name in several folders are distinguished by a callable."""
        (folder / "deep" / "a.png").write_bytes(b"another")
        report = await client.samples.upload_files(flowers, folder)
        assert report.failed == 1
        named = await client.samples.upload_files(
            flowers, folder, name=lambda path: path.relative_to(folder).as_posix()
        )
        named.raise_if_failed()
        assert {"a.png", "deep/a.png", "deep/er/d.jpg"} <= set(names_on(sandbox))

    async def test_bad_arguments(self, client, flowers, folder):
        with pytest.raises(InputError, match="name: expected a callable, got str"):
            await client.samples.upload_files(flowers, folder, name="stem")
        with pytest.raises(InputError, match="verify: expected 'stat' or 'content', got 'hash'"):
            await client.samples.upload_files(flowers, folder, verify="hash")
        report = await client.samples.upload_files(flowers, [folder / "a.png"], name=lambda _: 7)
        assert "expected a string, got int" in str(report.failures[0].error)


class TestResume:
    async def test_nothing_is_sent_again(self, client, sandbox, flowers, folder, path):
        await client.samples.upload_files(flowers, folder, checkpoint=path)
        sandbox.clear_calls()
        report = await client.samples.upload_files(flowers, folder, checkpoint=path)
        assert sandbox.calls == ()
        assert dict(report.counts) == {"skipped": 4}

    async def test_uploaded_file_is_not_sent_again_when_its_sample_failed(self, client, sandbox, flowers, folder, path):
        sandbox.fail("POST", "/samples_bulk/", times=None, status=400)
        failed = await client.samples.upload_files(flowers, folder, checkpoint=path)
        assert (failed.failed, len(uploads(sandbox))) == (4, 4)
        sandbox.clear_faults()

        report = await client.samples.upload_files(flowers, folder, checkpoint=path)

        assert dict(report.counts) == {"created": 4}
        assert len(uploads(sandbox)) == 4
        assert set(urls(sandbox).values()) == set(sandbox.assets())

    async def test_files_are_recorded_before_their_sample_is_sent(self, sandbox, flowers, folder, path, tmp_path):
        """A killed process leaves them, so the next one sends the same sample, and a taken name is its own."""
        left = tmp_path / "left.db"

        def leave(event):
            if event.method == "POST" and event.url.endswith("/samples/") and not left.exists():
                for suffix in ("", "-wal"):
                    if (file := path.with_name(f"{path.name}{suffix}")).exists():
                        shutil.copy(file, f"{left}{suffix}")

        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, hooks=Hooks(on_request=leave)) as client:
            for checkpoint in (path, left):
                report = await client.samples.upload_files(
                    flowers, folder / "a.png", checkpoint=checkpoint, if_exists="error"
                )
                assert [outcome.status for outcome in report.results] == ["created"]
        assert len(uploads(sandbox)) == 1

    async def test_uploaded_files_are_recorded_without_credentials(self, client, flowers, folder, path):
        await client.samples.upload_files(flowers, folder, checkpoint=path)
        with sqlite3.connect(path) as db:
            files = db.execute("SELECT key, place, url, asset FROM files ORDER BY key").fetchall()
        db.close()
        assert [(key, place) for key, place, _, _ in files] == [
            ("a.png", 0),
            ("b.png", 0),
            ("c.png", 0),
            ("d.jpg", 0),
        ]
        assert all(url in asset and "presigned" not in asset.lower() for _, _, url, asset in files)

    @pytest.mark.parametrize(("verify", "sent"), [("stat", 1), ("content", 0)])
    async def test_touched_file(self, client, sandbox, flowers, folder, path, verify, sent):
        await client.samples.upload_files(flowers, folder, checkpoint=path, verify=verify)
        os.utime(folder / "a.png", ns=(1, 1))
        sandbox.clear_calls()
        report = await client.samples.upload_files(flowers, folder, checkpoint=path, verify=verify)
        assert len(uploads(sandbox)) == sent
        assert report.counts["skipped"] == 4 - sent

    @pytest.mark.parametrize("verify", ["stat", "content"])
    async def test_changed_file(self, client, sandbox, flowers, folder, path, verify):
        await client.samples.upload_files(flowers, folder, checkpoint=path, verify=verify)
        (folder / "a.png").write_bytes(b"another picture")
        report = await client.samples.upload_files(flowers, folder, checkpoint=path, verify=verify, if_exists="update")
        assert dict(report.counts) == {"skipped": 3, "updated": 1}
        assert sandbox.assets()[urls(sandbox)["a.png"]] == b"another picture"

    async def test_changed_settings(self, client, sandbox, flowers, folder, path):
        """The file is uploaded already, so only the sample is changed."""
        rose = FileSample("rose", folder / "a.png", priority=1)
        await client.samples.upload_files(flowers, [rose], checkpoint=path)
        rose.priority = 2
        report = await client.samples.upload_files(flowers, [rose], checkpoint=path, if_exists="update")
        assert dict(report.counts) == {"updated": 1}
        assert len(uploads(sandbox)) == 1
        assert sandbox.samples(flowers)[0]["priority"] == 2

    async def test_kinds_of_files(self, client, sandbox, flowers, folder, path):
        """Bytes are compared by content; an open file cannot be compared, so it is sent again."""
        items = [("bytes.png", b"bytes"), FileSample("asset", await client.assets.upload(folder / "a.png"))]
        await client.samples.upload_files(flowers, [*items, ("open.png", io.BytesIO(b"open"))], checkpoint=path)
        sandbox.clear_calls()
        report = await client.samples.upload_files(
            flowers, [*items, ("open.png", io.BytesIO(b"open"))], checkpoint=path
        )
        assert [o.status in {"created", "existing"} for o in report.results] == [False, False, True]
        assert len(uploads(sandbox)) == 1

    async def test_missing_file_is_not_taken_from_the_checkpoint(self, client, flowers, folder, path):
        paths = [folder / "a.png", folder / "b.png"]
        await client.samples.upload_files(flowers, paths, checkpoint=path)
        paths[0].unlink()
        report = await client.samples.upload_files(flowers, paths, checkpoint=path)
        assert [o.status for o in report.results] == ["failed", "skipped"]
        assert "a.png" in str(report.failures[0].error)


class TestSeveralFiles:
    """A sample of several files, some of which are uploaded already."""

    def sequence(self, folder):
        frames = [folder / "a.png", folder / "b.png", folder / "deep" / "c.png"]
        return FileSample("clip", frames, lambda assets: {"frames": [{"image": {"url": a.url}} for a in assets]})

    @pytest.mark.parametrize("noted", [True, False])
    async def test_only_what_is_missing_is_sent(self, client, sandbox, flowers, folder, path, noted):
        """With a checkpoint the same items do, without one those of the report."""
        sandbox.fail("POST", "/", origin="storage", times=1, skip=1, status=403, headers={})
        clip = self.sequence(folder)
        checkpoint = {"checkpoint": path} if noted else {}
        failed = await client.samples.upload_files(flowers, [clip], **checkpoint)
        assert failed.failed == 1
        assert failed.results[0].item is clip
        again = failed.results[0].retry_item
        assert [type(file) for file in again.files] == [Asset, type(folder), type(folder)]
        before = len(uploads(sandbox))

        report = await client.samples.upload_files(flowers, [clip if noted else again], **checkpoint)

        report.raise_if_failed()
        assert len(uploads(sandbox)) - before == 2
        frames = sandbox.samples(flowers)[0]["attributes"]["frames"]
        contents = [sandbox.assets()[frame["image"]["url"]] for frame in frames]
        assert contents == [b"picture a.png", b"picture b.png", b"picture deep/c.png"]

    async def test_retry_items_of_samples_that_failed_send_no_file(self, client, sandbox, flowers, folder):
        sandbox.fail("POST", "/samples_bulk/", status=401)
        failed = await client.samples.upload_files(flowers, [folder / "a.png", self.sequence(folder)])
        assert failed.stopped == "fatal"
        sent = len(uploads(sandbox))

        report = await client.samples.upload_files(flowers, failed.retry_items)

        report.raise_if_failed()
        assert len(uploads(sandbox)) == sent == 4
