"""What is in a sandbox: shown to tests, and put there as people would do it who work in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

import orjson

from segments_async.sandbox.blobs import GeneratedRelease
from segments_async.sandbox.state import GROUND_TRUTH, Dataset, Record, Release, State
from segments_async.sandbox.views.datasets import dataset_json
from segments_async.sandbox.views.issues import issue_json
from segments_async.sandbox.views.releases import header, new_record, release_json
from segments_async.sandbox.views.samples import sample_json
from segments_async.sandbox.views.workunits import workunit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from segments_async.sandbox.storage import ObjectStore

T = TypeVar("T")


def made_sample(number: int) -> Record:
    """Make the sample of a number: an image with 20 boxes, about 3 kB of JSON."""
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
    """The part of `Sandbox` that looks into it; all answers are copies."""

    user: str
    _state: State
    _store: ObjectStore

    def datasets(self) -> list[Record]:
        """Return all datasets, as the API describes them to `user`."""
        datasets = list(self._state.datasets.values())
        return _copied([dataset_json(self._state, dataset, self.user) for dataset in datasets])

    def samples(self, dataset: str) -> list[Record]:
        """Return all samples of ``"owner/name"``, as the API describes them."""
        return _copied([sample_json(sample) for sample in list(self._dataset(dataset).samples.values())])

    def label(self, sample_uuid: str, labelset: str = GROUND_TRUTH) -> Record | None:
        """Return a label as the API does; None if the sample has none."""
        return _copied(self._state.samples[sample_uuid].labels.get(labelset))

    def labels(self, dataset: str, labelset: str = GROUND_TRUTH) -> dict[str, Record]:
        """Return all labels of ``"owner/name"`` by the uuid of the sample."""
        samples = list(self._dataset(dataset).samples.values())
        found = {sample.uuid: sample.labels.get(labelset) for sample in samples}
        return _copied({uuid: label for uuid, label in found.items() if label is not None})

    def releases(self, dataset: str) -> list[Record]:
        """Return all releases of ``"owner/name"`` as they were when last asked for."""
        releases = list(self._dataset(dataset).releases.values())
        return _copied([release_json(self._state, release) for release in releases])

    def assets(self) -> dict[str, bytes]:
        """Return the uploaded assets by their URL."""
        stored = list(self._store.objects.items())
        return {self._store.public_url(key): item.data for key, item in stored if item.public}

    def issues(self, dataset: str) -> list[Record]:
        """Return all issues of ``"owner/name"``, as the API describes them."""
        samples = list(self._dataset(dataset).samples.values())
        return _copied([issue_json(issue) for sample in samples for issue in list(sample.issues.values())])

    def workunits(self, dataset: str) -> list[Record]:
        """Return all work units of ``"owner/name"`` by sample, as the API describes them."""
        samples = list(self._dataset(dataset).samples.values())
        return _copied([workunit_json(sample, workunit) for sample in samples for workunit in list(sample.workunits)])

    def add_release(
        self, dataset: str, name: str, *, samples: int, make: Callable[[int], Mapping[str, Any]] = made_sample
    ) -> Record:
        """
        Add a release whose file is made while it is read: of any size, and never in memory.

        Example:
            ::

                sandbox.add_release("sandbox/flowers", "v1", samples=200_000)  # about 600 MB

        Args:
            dataset: ``"owner/name"``; there has to be one.
            name: The release's name, which replaces one that is there.
            samples: Number of samples, which need not be in the dataset.
            make: Makes the sample of a number from 0, as a release file has it, always the same; by default an
                image of 20 boxes. It is called in the sandbox's thread, and once for each sample here, for the size.

        Returns:
            The release, as the API describes it; it is done.
        """
        home = self._dataset(dataset)
        record = new_record(self._state, name, samples) | {"status": "SUCCEEDED"}
        key = f"releases/{record['uuid']}.json"
        file = GeneratedRelease(header(home, record), samples, make)
        release = Release(home, record, key=key, file=file, ready_at=0.0, fails=False)
        self._state.store.objects[key] = file
        home.releases[name] = release
        return _copied(release_json(self._state, release))

    def add_comment(self, issue_uuid: str, text: str, *, user: str | None = None) -> Record:
        """
        Comment on an issue, which the API itself cannot do.

        Args:
            issue_uuid: The issue.
            text: The comment.
            user: Who says it; None is `user`.

        Returns:
            The issue, as the API describes it.
        """
        issue = self._state.issues[issue_uuid]
        comment = {"created_at": self._state.now(), "created_by": user or self.user, "text": text}
        issue.record = issue.record | {"comments": [*issue.record["comments"], comment]}
        return _copied(issue_json(issue))

    def add_workunit(
        self,
        sample_uuid: str,
        *,
        time: int = 60,
        inactive_time: int = 0,
        work_type: str = "LABEL",
        next_label_status: str | None = "LABELED",
        label_rating: int | None = None,
        session_time_metrics: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> Record:
        """
        Note that somebody worked on a sample, which the API itself cannot do; no label is changed.

        Args:
            sample_uuid: The sample.
            time: Seconds of work.
            inactive_time: Seconds without input.
            work_type: What was done.
            next_label_status: What the label became.
            label_rating: Stars.
            session_time_metrics: Shown to those who ask for them.
            user: Who did it; None is `user`.

        Returns:
            The work unit, as the API describes it.
        """
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
        return _copied(workunit_json(sample, workunit))

    def _dataset(self, full_name: str) -> Dataset:
        owner, _, name = full_name.partition("/")
        return self._state.datasets[owner, name]


def _copied(value: T) -> T:
    """Copy a JSON value, so that nobody edits the state by accident."""
    copy: T = orjson.loads(orjson.dumps(value))
    return copy
