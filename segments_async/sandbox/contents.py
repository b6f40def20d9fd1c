"""Methods of the sandbox that read its data, and that add data the API cannot create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from segments_async.sandbox.arguments import (
    check_callable,
    check_choice,
    check_count,
    check_headers,
    check_name,
)
from segments_async.sandbox.blobs import GeneratedRelease, StoredObject
from segments_async.sandbox.exact_json import read_json, write_json
from segments_async.sandbox.state import GROUND_TRUTH, Dataset, Record, Release, State
from segments_async.sandbox.storage import PRIVATE_SCHEMES
from segments_async.sandbox.views.datasets import dataset_json
from segments_async.sandbox.views.issues import issue_json
from segments_async.sandbox.views.labels import LABEL_STATUSES
from segments_async.sandbox.views.releases import header, new_record, release_json
from segments_async.sandbox.views.samples import sample_json
from segments_async.sandbox.views.workunits import workunit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from segments_async.sandbox.storage import ObjectStore

T = TypeVar("T")

WORK_TYPES = ("label", "review", "normal")


def generate_sample(number: int) -> Record:
    """Generate sample *number*: an image with 20 boxes, about 3 kB of JSON."""
    boxes = [
        {
            "id": box,
            "category_id": 1,
            "type": "bbox",
            "points": [[box + 0.5, number % 1000], [box + 64.25, number % 1000 + 32]],
            "attributes": {"occluded": box % 2 == 0},
        }
        for box in range(1, 21)
    ]
    return {
        "uuid": str(UUID(int=number)),
        "name": f"sample-{number:07}.jpg",
        "attributes": {"image": {"url": f"https://example.com/sample-{number:07}.jpg"}},
        "metadata": {"number": number, "even": number % 2 == 0},
        "labels": {
            GROUND_TRUTH: {
                "label_status": "REVIEWED" if number % 4 == 0 else "LABELED",
                "attributes": {"format_version": "0.1", "annotations": boxes},
            }
        },
    }


class Contents:
    """The methods of `Sandbox` that read and add data; everything they return is a copy."""

    _state: State
    _store: ObjectStore

    @property
    def user(self) -> str:
        """The username of the first API key."""
        raise NotImplementedError

    def datasets(self) -> list[Record]:
        """Return all datasets, as the API returns them to `user`."""
        datasets = list(self._state.datasets.values())
        return _copy([dataset_json(self._state, dataset, self.user) for dataset in datasets])

    def samples(self, dataset: str) -> list[Record]:
        """Return all samples of the dataset ``"owner/name"``, as the API returns them."""
        return _copy([sample_json(sample) for sample in list(self._dataset(dataset).samples.values())])

    def label(self, sample_uuid: str, labelset: str = GROUND_TRUTH) -> Record | None:
        """Return a label, as the API returns it; None if the sample has no label."""
        return _copy(self._state.samples[sample_uuid].labels.get(labelset))

    def labels(self, dataset: str, labelset: str = GROUND_TRUTH) -> dict[str, Record]:
        """Return all labels of the dataset ``"owner/name"`` by sample uuid."""
        samples = list(self._dataset(dataset).samples.values())
        found = {sample.uuid: sample.labels.get(labelset) for sample in samples}
        return _copy({uuid: label for uuid, label in found.items() if label is not None})

    def releases(self, dataset: str) -> list[Record]:
        """Return all releases of the dataset ``"owner/name"``, with the status of the last request for them."""
        releases = list(self._dataset(dataset).releases.values())
        return _copy([release_json(self._state, release) for release in releases])

    def assets(self) -> dict[str, bytes]:
        """Return the uploaded assets by URL."""
        stored = list(self._store.objects.items())
        return {self._store.public_url(key): item.data for key, item in stored if item.public}

    def add_file(self, url: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """
        Store a file in a private bucket, so that the signed URLs of samples with this address can be read.

        Example::

            sandbox.add_file("s3://flowers/rose.png", image, "image/png")

        Args:
            url: The address, as in a sample: ``s3://bucket/key`` or ``gs://bucket/key``.
            content: The bytes.
            content_type: The content type of the response.

        Raises:
            ValueError: *url* is not such an address.
        """
        if not isinstance(url, str) or not url.startswith(tuple(f"{scheme}://" for scheme in PRIVATE_SCHEMES)):
            raise ValueError(f"url: expected an address such as 's3://bucket/key', got {url!r}.")
        if not isinstance(content, bytes | bytearray | memoryview):
            raise ValueError(f"content: expected bytes, got {type(content).__name__}.")  # noqa: TRY004
        check_headers("content_type", {"Content-Type": content_type})
        key = self._store.key_of(url)
        assert key is not None  # addresses in private buckets have one
        self._store.objects[key] = StoredObject(bytes(content), content_type, public=False)

    def issues(self, dataset: str) -> list[Record]:
        """Return all issues of the dataset ``"owner/name"``, as the API returns them."""
        samples = list(self._dataset(dataset).samples.values())
        return _copy([issue_json(issue) for sample in samples for issue in list(sample.issues.values())])

    def workunits(self, dataset: str) -> list[Record]:
        """Return all work units of the dataset ``"owner/name"``, grouped by sample, as the API returns them."""
        samples = list(self._dataset(dataset).samples.values())
        return _copy([workunit_json(sample, workunit) for sample in samples for workunit in list(sample.workunits)])

    def add_release(
        self, dataset: str, name: str, *, samples: int, make: Callable[[int], Mapping[str, Any]] = generate_sample
    ) -> Record:
        """
        Add a release of any size, whose file is generated while it is downloaded and is never in memory.

        Example::

            sandbox.add_release("sandbox/flowers", "v1", samples=200_000)  # about 600 MB

        Args:
            dataset: An existing dataset, as ``"owner/name"``.
            name: The name of the release; an existing release of this name is replaced.
            samples: Number of samples in the release; they need not exist in the dataset.
            make: Returns the sample with a number from 0, in the format of a release file; must return the same sample
                for each call. By default, an image with 20 boxes. It is called once per sample now, to compute the
                size, and again in the sandbox's thread for each download.

        Returns:
            The finished release, as the API returns it.

        Raises:
            KeyError: The dataset does not exist.
            ValueError: Another argument has a value that can never apply.
        """
        target = self._dataset(dataset)
        check_name("name", name)
        check_count("samples", samples, "samples")
        check_callable("make", make, "a sample")
        record = new_record(self._state, name, samples) | {"status": "SUCCEEDED"}
        key = f"releases/{record['uuid']}.json"
        file = GeneratedRelease(header(target, record), samples, make)
        release = Release(target, record, key=key, file=file, ready_at=0.0, fails=False)
        self._state.store.objects[key] = file
        target.releases[name] = release
        return _copy(release_json(self._state, release))

    def add_comment(self, issue_uuid: str, text: str, *, user: str | None = None) -> Record:
        """
        Comment on an issue, which is not possible through the API.

        Args:
            issue_uuid: The issue.
            text: The comment.
            user: The author; None for `user`.

        Returns:
            The issue, as the API returns it.
        """
        issue = self._state.issues[issue_uuid]
        comment = {"created_at": self._state.now(), "created_by": user or self.user, "text": text}
        issue.record = issue.record | {"comments": [*issue.record["comments"], comment]}
        return _copy(issue_json(issue))

    def add_workunit(
        self,
        sample_uuid: str,
        *,
        time: int = 60_000,
        inactive_time: int = 0,
        work_type: str = "label",
        next_label_status: str | None = "LABELED",
        label_rating: int | None = None,
        session_time_metrics: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> Record:
        """
        Add a work unit to a sample, which is not possible through the API; no label is changed.

        Args:
            sample_uuid: The sample.
            time: Working time in milliseconds.
            inactive_time: Inactive time in milliseconds.
            work_type: The type of work: ``"label"``, ``"review"`` or ``"normal"``.
            next_label_status: The label status after the work.
            label_rating: The rating in stars.
            session_time_metrics: Detailed metrics, returned only on request.
            user: Who did the work; None for `user`.

        Returns:
            The work unit, as the API returns it.

        Raises:
            KeyError: The sample does not exist.
            ValueError: An argument has a value that can never apply.
        """
        check_count("time", time, "milliseconds")
        check_count("inactive_time", inactive_time, "milliseconds")
        check_choice("work_type", work_type, WORK_TYPES)
        check_choice("next_label_status", next_label_status, (None, *LABEL_STATUSES))
        sample = self._state.samples[sample_uuid]
        workunit = {
            "uuid": str(uuid4()),
            "created_at": self._state.now(),
            "created_by": user or self.user,
            "work_type": work_type,
            "next_label_status": next_label_status,
            "time": time,
            "inactive_time": inactive_time,
            "label_rating": label_rating,
            "session_time_metrics": dict(session_time_metrics or {}),
        }
        sample.workunits.append(workunit)
        return _copy(workunit_json(sample, workunit))

    def _dataset(self, full_name: str) -> Dataset:
        owner, _, name = full_name.partition("/")
        dataset = self._state.datasets.get((owner, name))
        if dataset is None:
            raise KeyError(f"There is no dataset {full_name!r}; expected the 'owner/name' of one that was created.")
        return dataset


def _copy(value: T) -> T:
    """Copy a JSON value, so that callers cannot modify the state."""
    copy: T = read_json(write_json(value))
    return copy
