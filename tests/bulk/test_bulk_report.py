"""What a report says, and the options of a run."""

from __future__ import annotations

import pickle

import pytest
from echo_operation import bulk

from segments_async import (
    BulkError,
    BulkReport,
    BulkSettings,
    DecodeError,
    InputError,
    Outcome,
    Progress,
    TransportError,
    ValidationError,
)
from segments_async.bulk import report as report_module

PERMANENT = ValidationError(400, "PUT", "https://x/labels/1/", "no such category", request_id="r-1")
PASSING = TransportError("the connection was lost", method="PUT", url="https://x/labels/2/")


def outcome(index, status, error=None, *, retryable=False):
    return Outcome(index=index, key=str(index), item=f"item {index}", status=status, error=error, retryable=retryable)


MIXED = [
    outcome(6, "unsent", retryable=True),
    outcome(5, "unknown", PASSING, retryable=True),
    outcome(4, "failed", PERMANENT),
    outcome(3, "failed", PASSING, retryable=True),
    outcome(2, "updated"),
    outcome(1, "existing"),
    outcome(0, "created"),
    outcome(7, "done"),
    outcome(8, "skipped"),
]


def report_of(outcomes, **options):
    report = BulkReport(**options)
    for each in outcomes:
        report.add(each)
    return report


def test_counts():
    report = report_of(MIXED)

    assert (report.total, report.succeeded, report.failed, report.unsent, report.unknown) == (9, 5, 2, 1, 1)
    assert [each.index for each in report.results] == list(range(9))
    assert [each.index for each in report.failures] == [3, 4, 5]
    assert report.retry_items == ["item 3", "item 5", "item 6"]
    assert [each.succeeded for each in report.results] == [True] * 3 + [False] * 4 + [True] * 2


def test_words():
    report = report_of(MIXED[:4])
    report.stopped = "max_failures"
    assert str(report) == "4 items: 2 failed, 1 unknown, 1 unsent; stopped: max_failures"
    assert repr(report) == f"<BulkReport {report}>"
    assert str(BulkReport()) == "0 items: none"


def test_results_stay_what_they_were():
    """The list is the caller's, and grows with no later outcome."""
    report = report_of(MIXED[:2])
    results = report.results
    results.clear()
    report.add(MIXED[2])
    assert [each.index for each in report.results] == [4, 5, 6]


def test_raise_if_failed():
    report = report_of(MIXED)
    with pytest.raises(BulkError, match=r"^9 items: .*; first error: the connection was lost on PUT") as caught:
        report.raise_if_failed()
    assert caught.value.__cause__ is PASSING
    assert caught.value.report is report


@pytest.mark.parametrize(
    ("status", "raises"),
    [(status, False) for status in ("created", "existing", "updated", "done", "skipped")]
    + [(status, True) for status in ("failed", "unknown", "unsent")],
)
def test_what_counts_as_success(status, raises):
    """An unsent item is not a success, although nothing went wrong with it."""
    report = report_of([outcome(0, status)])
    if raises:
        with pytest.raises(BulkError):
            report.raise_if_failed()
    else:
        report.raise_if_failed()


def test_error_groups():
    """By what went wrong and not by where, the most frequent first."""
    errors = [
        InputError("expected a string", path="samples[0].name"),
        InputError("expected a string", path="samples[1].name"),
        *(TransportError("lost", method="PUT", url=f"https://x/{n}") for n in range(4)),
        *(ValidationError(400, "PUT", f"https://x/{n}", "no", request_id=f"r-{n}") for n in range(3)),
        DecodeError("not JSON", path="[3]", method="GET", url="https://x/"),
    ]
    report = report_of([outcome(n, "failed", error) for n, error in enumerate(errors)])

    assert {words: len(members) for words, members in report.error_groups.items()} == {
        "TransportError: lost": 4,
        "ValidationError: no": 3,
        "InputError: expected a string": 2,
        "DecodeError: not JSON": 1,
    }
    assert next(iter(report.error_groups)) == "TransportError: lost"


def test_keep_failures():
    report = report_of(MIXED, keep="failures")
    assert (report.total, report.succeeded) == (9, 5)
    assert [each.index for each in report.results] == [3, 4, 5, 6]
    assert report.retry_items == ["item 3", "item 5", "item 6"]


def test_keep_failures_has_a_cap(monkeypatch):
    """Beyond it they are counted only, and what cannot be whole is refused."""
    monkeypatch.setattr(report_module, "MAX_KEPT_FAILURES", 2)
    report = report_of(MIXED[:2], keep="failures")
    assert not report.truncated
    report.add(MIXED[2])

    assert report.truncated
    assert report.total == 3
    assert [each.index for each in report.results] == [5, 6]
    with pytest.raises(InputError, match=r"more than 2 items did not succeed.*use keep='all'"):
        report.retry_items  # noqa: B018 (raises)
    with pytest.raises(BulkError, match="3 items: 1 failed, 1 unknown, 1 unsent"):
        report.raise_if_failed()


def test_pickle():
    """A report comes whole out of a worker process, also inside its error."""
    report = report_of(MIXED)
    with pytest.raises(BulkError) as caught:
        report.raise_if_failed()
    copy = pickle.loads(pickle.dumps(caught.value))

    assert str(copy) == str(caught.value)
    assert [each.status for each in copy.report.results] == [each.status for each in report.results]


def test_reprs_are_short():
    """Items and answers can be megabytes."""
    each = Outcome(index=0, key="a", item="x" * 1000, status="done", value="y" * 1000)
    assert len(repr(each)) < 200


def test_progress_before_time_passed():
    assert Progress(done=5, failed=0, total=None, elapsed=0.0, throttled=0).per_second == 0


class TestOptions:
    """What the keyword arguments may be."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"concurrency": 0}, "concurrency: expected a whole number of at least 1, got 0"),
            ({"concurrency": True}, "concurrency: expected a whole number of at least 1, got True"),
            ({"concurrency": 2.0}, "concurrency: expected a whole number of at least 1, got 2.0"),
            ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, got 0"),
            ({"batch_size": "9"}, "batch_size: expected a whole number of at least 1, got '9'"),
            ({"max_failures": -1}, "max_failures: expected a whole number of at least 0, got -1"),
            ({"total_timeout": 0}, "total_timeout: expected seconds above 0, got 0"),
            ({"total_timeout": float("nan")}, "total_timeout: expected seconds above 0, got nan"),
            ({"total_timeout": "1"}, "total_timeout: expected seconds above 0, got '1'"),
            ({"if_exists": "skip"}, "if_exists: expected one of 'return', 'error', 'update', got 'skip'"),
            ({"if_exists": None}, "if_exists: expected one of 'return', 'error', 'update', got None"),
            ({"on_error": []}, "on_error: expected one of 'collect', 'raise', got []"),
            ({"keep": "none"}, "keep: expected one of 'all', 'failures', got 'none'"),
            ({"progress": 5}, "progress: expected a function that is not async, got 5"),
            ({"check_duplicates": None}, "check_duplicates: expected True or False, got None"),
        ],
    )
    def test_nonsense(self, options, words):
        with pytest.raises(InputError) as caught:
            bulk([], **options)
        assert str(caught.value) == words

    def test_async_progress(self):
        """It would never be awaited."""

        async def tell(progress):
            pass

        with pytest.raises(InputError, match="progress: expected a function that is not async"):
            bulk([], progress=tell)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (
                {"concurency": 2},
                "a bulk call got an unexpected keyword argument 'concurency'; did you mean 'concurrency'?",
            ),
            (
                {"batchsize": 2},
                "a bulk call got an unexpected keyword argument 'batchsize'; did you mean 'batch_size'?",
            ),
            ({"xyz": 2}, "a bulk call got an unexpected keyword argument 'xyz'"),
        ],
    )
    def test_unknown(self, options, words):
        with pytest.raises(TypeError) as caught:
            bulk([], **options)
        assert str(caught.value) == words

    def test_every_option_is_a_setting(self):
        """The two lists of options agree, defaults included where they are checked."""
        settings = BulkSettings()
        for attribute in type(settings).__attrs_attrs__:
            bulk([], **{attribute.name: getattr(settings, attribute.name)})
