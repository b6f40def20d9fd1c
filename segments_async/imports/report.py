"""The report of an import."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from segments_async.bulk import BulkReport, Failed
    from segments_async.imports.shapes import ImportProblem
    from segments_async.models import Dataset, Sample

MAX_KEPT_PROBLEMS = 10_000
"""Problems that a report lists; all are counted."""


@define(kw_only=True, eq=False)
class ImportReport:
    """
    What an import did: one outcome for each image and each label, and what was left out.

    Example::

        report = await client.datasets.import_annotations("jane/flowers", "instances.json", images="photos")
        print(report)
        for problem in report.problems:
            print(problem)
        report.raise_if_failed()
    """

    dataset: Dataset
    """The dataset, as it was before the import."""
    samples: BulkReport[Sample | None]
    """
    One outcome for each image of the file, whose `index` is the image's position in it: ``existing`` if the dataset has
    the sample, with the `value` None; ``created``; or ``failed``, for example because there is neither a sample nor a
    file of its name.
    """
    labels: BulkReport[None]
    """
    One outcome for each label, with the `index` of its image. Labels of images without a sample are ``unsent``. Their
    `value` is None, as labels are large.
    """
    left_out: Counter[str] = field(factory=Counter)
    """Counts of what the dataset's labels cannot represent, and of what else is left out."""
    changed: Counter[str] = field(factory=Counter)
    """Counts of what is imported in another form."""
    problems: list[ImportProblem] = field(factory=list)
    """What cannot be read, at most 10,000; the rest of the file is imported."""
    problem_count: int = 0
    """How many problems there are."""
    unlabeled: int = 0
    """Images for which the file has no label; their samples are created."""

    @property
    def failures(self) -> list[Failed[Sample | None] | Failed[None]]:
        """The outcomes of images, then of labels, that are failed or unknown."""
        return [*self.samples.failures, *self.labels.failures]

    def raise_if_failed(self) -> None:
        """
        Raise unless every image and every label was imported. What the file cannot say, and problems, do not count.

        Raises:
            BulkError: Its report is that of the samples or of the labels.
        """
        self.samples.raise_if_failed()
        self.labels.raise_if_failed()

    def __str__(self) -> str:
        parts = [f"images: {self.samples}", f"labels: {self.labels}"]
        if self.problem_count:
            parts.append(f"problems: {self.problem_count:,}")
        for title, counts in (("left out", self.left_out), ("changed", self.changed)):
            if counts:
                parts.append(f"{title}: {', '.join(f'{words} ({count:,})' for words, count in counts.items())}")
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        from segments_async.bulk.html_report import table_html  # noqa: PLC0415 (needed in notebooks alone)

        problems = [(str(problem),) for problem in self.problems]
        tables = [
            table_html(("items", title), [(f"{count:,}", words) for words, count in counts.items()])
            for title, counts in (("left out", self.left_out), ("changed", self.changed))
        ]
        title = f"problems ({self.problem_count:,})"
        reports = [f"<p>images</p>{self.samples._repr_html_()}", f"<p>labels</p>{self.labels._repr_html_()}"]
        return "".join([*reports, *tables, table_html((title,), problems)])


def add_problem(report: ImportReport, problem: ImportProblem) -> None:
    """Count a problem, and list it unless there are too many."""
    report.problem_count += 1
    if len(report.problems) < MAX_KEPT_PROBLEMS:
        report.problems.append(problem)
