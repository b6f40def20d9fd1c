"""The folder that an export writes to: it knows what earlier exports wrote there, and touches nothing else."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING

from segments_async._wire.suffixes import split_suffix
from segments_async.errors import InputError
from segments_async.export.manifest import (
    Header,
    Manifest,
    Record,
    delete,
    header_line,
    manifest_files,
    manifests_in,
    record_line,
)
from segments_async.export.output import BlockedPathError, UnwritableError, raise_unwritable, write_file

if TYPE_CHECKING:
    from pathlib import Path

_SHARED_NAMES = frozenset({"coco-instance", "coco-panoptic", "polygon", "yolo"})
"""Formats whose files have the same names for every labelset."""
_ADVICE = "pass overwrite=True to replace it, or choose another folder"
_log = logging.getLogger("segments_async")


class ExportFolder:
    """
    The files of an export. Call the methods in worker threads.

    Args:
        root: The folder that the user gave.
        folder: The folder of the release in it.
        header: The export.
        summary: The file that is written last; None if the format has none.
        overwrite: Whether to replace other exports, and files that no export wrote.
    """

    def __init__(self, root: Path, folder: Path, header: Header, summary: Path | None, *, overwrite: bool) -> None:
        self._root = root
        self.path = folder
        self.header = header
        self.summary = summary
        self._overwrite = overwrite
        self._manifest = folder / header.file_name
        self._log: IO[bytes] | None = None
        self._log_start = 0
        self._earlier: dict[str, Record] = {}
        self._earlier_exists = False
        self._others: list[Manifest] = []
        self._images: dict[str, Record] = {}
        """Images of earlier exports, by the path without its suffix."""
        self._written: set[int] = set()
        """Hashes of the paths that this export has written or kept."""
        self._is_changed = False
        self._lock = Lock()

    def open(self) -> None:
        """
        Read what earlier exports wrote.

        Raises:
            InputError: Another release, another labelset, or a file that no export wrote is in the way.
        """
        try:
            for manifest in manifests_in(self.path, skip_damaged=self._overwrite):
                self._add(manifest)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror or error}): {self.path}", path="folder") from error
        if self.summary is not None and not self._overwrite and not self._earlier_exists and _exists(self.summary):
            raise InputError(f"{self.summary} was not written by an export; {_ADVICE}", path="folder")
        if self._earlier_exists and _was_killed(self._manifest):
            self._sweep()

    def _add(self, manifest: Manifest) -> None:
        header, own = manifest.header, self.header
        is_own = (header.format, header.labelset) == (own.format, own.labelset) and header.is_of == own.is_of
        if is_own:
            self._earlier = manifest.records
            self._earlier_exists = True
        else:
            self._others.append(manifest)
            self._check(header)
        for record in manifest.records.values():
            if record.digest is not None:
                self._images[split_suffix(record.path)[0]] = record

    def _check(self, other: Header) -> None:
        """Refuse an export whose files are in the way."""
        if self._overwrite:
            return
        if other.is_of != self.header.is_of:
            owner, dataset, release = other.is_of
            problem = f"{self.path} contains an export of release {release!r} of {owner}/{dataset}; {_ADVICE}"
            raise InputError(problem, path="folder")
        if other.format == self.header.format and other.format in _SHARED_NAMES:
            problem = f"{self.path} contains an export of labelset {other.labelset!r} in this format; {_ADVICE}"
            raise InputError(problem, path="folder")
        if other.is_outdated_by(self.header):
            words = "%s still contains an export (%s) of an earlier release %r, made at %s: repeat it, or delete it"
            _log.warning(words, self.path, other.format, other.release, other.created_at)

    def image_of(self, stem: str, digest: str) -> Record | None:
        """Return the image that an earlier export wrote for an item, if it was read from the same address."""
        record = self._images.get(stem)
        if record is None or record.digest != digest:
            return None
        with suppress(OSError):
            if (self.path / record.path).lstat().st_size == record.size:
                return record
        return None

    def keep(self, record: Record) -> None:
        """Take over a file of an earlier export."""
        with self._lock:
            self._record(record)

    def write(self, name: str, content: bytes, digest: str | None = None) -> None:
        """
        Write a file.

        Args:
            name: Its path, relative to the folder.
            content: What to write.
            digest: For an image: identifies its address.

        Raises:
            BlockedPathError: This file cannot be written there; others may.
            UnwritableError: No file can be written.
        """
        target = self.path / name
        if not self._overwrite and self._is_of_others(name, target):
            with suppress(OSError):
                if target.read_bytes() == content:
                    return
            raise BlockedPathError(f"{target} was not written by an export; {_ADVICE}", path="folder")
        with self._lock:
            self._record(Record(name, digest, None if digest is None else len(content)))
        try:
            write_file(target, content, self.header.digest)
        except BlockedPathError:
            if not self._clear_way(name):
                raise
            write_file(target, content, self.header.digest)

    def write_summary(self, content: bytes) -> None:
        """Write the file that is written last."""
        assert self.summary is not None
        with self._lock:
            self._start()
        write_file(self.summary, content, self.header.digest)

    def delete_stale(self) -> None:
        """Delete what earlier exports wrote and this one did not."""
        with self._lock:
            self._start()
            for path in self._stale():
                delete(self.path, path)
            if self._overwrite:
                for file in manifest_files(self.path):
                    if file != self._manifest:
                        delete(self.path, file.name)

    def finish(self) -> None:
        """Replace the manifest by one that lists only the files of this run."""
        with self._lock:
            assert self._log is not None
            with raise_unwritable(self._manifest):
                self._log.close()
                with self._manifest.open("rb") as log:
                    log.seek(self._log_start + len(_STARTED))
                    own = log.read()
                self._log = None
                write_file(self._manifest, header_line(self.header) + own, self.header.digest)

    def close(self) -> None:
        """Close the manifest of an export that failed; it is deleted if no file was written."""
        with self._lock:
            if self._log is None:
                return
            with suppress(OSError, InputError):
                self._log.close()
                self._log = None
                records = Manifest.read(self._manifest).records
                if not any(_exists(self.path / path) for path in records):
                    self._manifest.unlink(missing_ok=True)

    def _clear_way(self, name: str) -> bool:
        """Delete stale files where a path needs a folder, or in a folder that is where the path needs a file."""
        with self._lock:
            stale = [path for path in self._stale() if name.startswith(f"{path}/") or path.startswith(f"{name}/")]
            for path in stale:
                delete(self.path, path)
            return bool(stale)

    def _stale(self) -> list[str]:
        """Return what earlier exports wrote, and this one did not (yet)."""
        stale = set(self._earlier)
        others = self._read_others()
        for manifest in (*self._others, *others) if self._overwrite else others:
            if self._overwrite:
                stale |= manifest.records.keys()
            else:
                stale -= manifest.records.keys()
        return [path for path in stale if hash(path) not in self._written]

    def _is_of_others(self, name: str, target: Path) -> bool:
        """Return whether something is in the place of a file that no export of this release wrote."""
        if self._is_ours(name) or not _exists(target):
            return False
        return not (target.is_dir() and self._clear_way(name) and not _exists(target))

    def _is_ours(self, name: str) -> bool:
        """Return whether an export of this release wrote a file that this export may replace."""
        if hash(name) in self._written or name in self._earlier:
            return True
        record = self._images.get(split_suffix(name)[0])
        return record is not None and record.path == name

    def _start(self) -> None:
        if self._is_changed:
            return
        self._is_changed = True
        with raise_unwritable(self._manifest):
            self.path.mkdir(parents=True, exist_ok=True)
            log = self._manifest.open("ab" if self._earlier_exists else "wb")
            if not self._earlier_exists:
                log.write(header_line(self.header))
            self._log_start = log.tell()
            log.write(_STARTED)
            log.flush()
            self._log = log
            if self.summary is not None:
                self.summary.unlink(missing_ok=True)
            if self._overwrite:
                for manifest in self._others:
                    self._delete_summary_of(manifest.header)

    def _delete_summary_of(self, other: Header) -> None:
        if other.summary is None or "/" in other.summary or "\\" in other.summary:
            return
        folder = self.path if other.format == "yolo" else self._root
        if other.format == "yolo" or other.summary.startswith("export_"):
            (folder / other.summary).unlink(missing_ok=True)

    def _record(self, record: Record) -> None:
        self._start()
        if self._log is None:
            raise UnwritableError(f"the export has ended: {self.path}", path="folder")
        with raise_unwritable(self._manifest):
            self._log.write(record_line(record))
            self._log.flush()
        self._written.add(hash(record.path))

    def _read_others(self) -> list[Manifest]:
        """Read the manifests of other exports again, as they may run at the same time."""
        with suppress(OSError):
            found = manifests_in(self.path, skip_damaged=True)
            return [manifest for manifest in found if manifest.file != self._manifest]
        return []

    def _sweep(self) -> None:
        """Delete the temporary files that a killed run of this export left."""
        folders = {(self.path / path).parent for path in self._earlier} | {self.path}
        if self.summary is not None:
            folders.add(self.summary.parent)
        is_temporary = re.compile(rf"\.{self.header.digest}[0-9a-f]{{8}}\.part").fullmatch
        for folder in folders:
            with suppress(OSError):
                for entry in list(folder.iterdir()):
                    if is_temporary(entry.name):
                        entry.unlink(missing_ok=True)


_STARTED = b'{"path": ""}\n'
"""The line after which a run lists its files; it is not in the manifest of a run that has ended."""


def _was_killed(manifest: Path) -> bool:
    with suppress(OSError):
        return _STARTED in manifest.read_bytes()
    return False


def _exists(path: Path) -> bool:
    with suppress(OSError, ValueError):
        path.lstat()
        return True
    return False
