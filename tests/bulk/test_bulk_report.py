"""What a report says, and the options of a run."""

from __future__ import annotations

import html
import pickle

import pytest
from echo_operation import bulk

from segments_async import (
    BulkError,
    BulkReport,
    BulkSettings,
    DecodeError,
    InputError,
    NotFoundError,
    Outcome,
    OutOfResourcesError,
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
    report.stopped = "total_timeout"
    assert str(report) == "4 items: 2 failed, 1 unknown, 1 unsent; stopped: total_timeout"
    assert repr(report) == f"<BulkReport {report}>"
    assert str(BulkReport()) == "0 items: none"


@pytest.mark.parametrize("stopped", ["fatal", "max_failures", "error", "checkpoint"])
def test_the_first_error_of_a_stopped_run(stopped):
    """In one short line, without the call; `BulkError` has all of it, once."""
    error = NotFoundError(404, "POST", "https://x.test/a", "Not\x1bfound.\n" + "x" * 300)
    error.add_note("there is no dataset 'jane/flowers'")
    report = report_of([outcome(0, "failed", error), MIXED[0]])
    in_numbers, stop = str(report), f"; stopped: {stopped}"
    report.stopped = stopped
    first_error = "NotFoundError: Not\\x1bfound.\\n" + "x" * 300
    assert str(report) == f"{in_numbers}{stop}; first error: {first_error[:200]}..."
    assert str(report.as_error()) == f"{in_numbers}{stop}; first error: {error}"
    assert html.escape(str(report)) in report._repr_html_()


def test_the_note_of_the_first_error():
    error = NotFoundError(404, "POST", "https://x.test/a", "Not found.")
    report = report_of([outcome(0, "failed", error)])
    report.stopped = "fatal"
    error.add_note("there is no dataset 'flowers'")
    assert str(report).endswith("; first error: NotFoundError: Not found. (there is no dataset 'flowers')")
    assert BulkReport().as_error().args == ("0 items: none",)


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

        async def observe(progress):
            pass

        with pytest.raises(InputError, match="progress: expected a function that is not async"):
            bulk([], progress=observe)

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


def failures(errors, **more):
    return report_of([outcome(n, "failed", error, **more) for n, error in enumerate(errors)])


UUID = "602a3eec-a61c-4a77-9fcc-3037ce5e{:04x}"
SAME_REASON = {
    "a file that does not exist": lambda n: InputError(
        f"cannot be read (No such file or directory): /data/my photos ({n})/{n}.png", path=f"files[{n}]"
    ),
    "too many open files": lambda n: OutOfResourcesError(
        f"cannot be read (Too many open files): photos/{n}.png; raise the limit", path=f"files[{n}]", errno=24
    ),
    "an empty file": lambda n: InputError(f"is empty: {n} of mine.png", path=f"files[{n}]"),
    "a duplicate": lambda n: InputError(f"'name {n}' appears more than once in this run", path=f"samples[{n}]"),
    "a uuid": lambda n: ValidationError(400, "PUT", f"https://x/{n}", f"No sample {UUID.format(n)}.", {}, f"r-{n}"),
    "a url": lambda n: DecodeError(f"redirected more than 5 times: https://s3.test:{4000 + n}/{n}.png?x={n}"),
    "a port": lambda n: TransportError(
        f"no connection (Cannot connect to host 127.0.0.1:{5000 + n} [('127.0.0.1', {6000 + n})])",
        method="PUT",
        url="u",
    ),
    "a port of IPv6": lambda n: TransportError(f"lost [::1]:{5000 + n} ('::1', {6000 + n}, 0, 0)"),
    "an address": lambda n: TransportError(f"<Connection object at {hex(0x7F0000000000 + 64 * n)}> is closed"),
    "a cancel scope": lambda n: TransportError(f"Cancelled via cancel scope {0x7F0000000000 + 64 * n:x}"),
    "an index": lambda n: ValidationError(400, "POST", "u", f"[{n}].name: This field is required."),
    "a short answer": lambda n: TransportError(f"received {n} of {n + 7} bytes"),
    "a wait": lambda n: ValidationError(429, "PUT", "u", f"Request was throttled. Expected available in {n} seconds."),
}


@pytest.mark.parametrize("reason", SAME_REASON)
def test_equal_failures_are_one_group(reason):
    errors = [SAME_REASON[reason](n) for n in range(500)]
    report = BulkReport()
    for n, error in enumerate(errors):
        report.add(Outcome(index=n, key=f"name {n}", uuid=UUID.format(n), item=None, status="failed", error=error))
    [(words, members)] = report.error_groups.items()
    assert len(members) == 500
    assert words.startswith(f"{type(errors[0]).__name__}: ")


def test_exceptions_of_the_caller_are_one_group():
    """Their messages usually name the row or the file."""

    def failure(n):
        error = InputError(f"raised KeyError: 'no name for {n}.jpg in row {n}'", path=f"files[{n}].name")
        error.__cause__ = KeyError(n)
        return Outcome(index=n, key=None, item=f"/data/{n}.jpg", status="failed", error=error)

    report = report_of([failure(n) for n in range(500)])
    assert {words: len(members) for words, members in report.error_groups.items()} == {
        "InputError: raised KeyError: 'no name for <name> in row <n>'": 500
    }


@pytest.mark.parametrize(
    "messages",
    [
        ("expected a string, got int", "expected a string, got list"),
        ("[Errno 5] Input/output error", "[Errno 28] No space left on device"),
        ("cannot be read (Permission denied): /a.png", "cannot be read (No such file or directory): /a.png"),
        ("Ensure this value is at most 100.", "Ensure this value is at least 1."),
    ],
)
def test_different_failures_are_different_groups(messages):
    assert len(failures(map(InputError, messages)).error_groups) == 2


def test_a_short_name_is_not_looked_for_in_words():
    """An item whose name is "in" is in the same group as the others."""
    error = TransportError("no connection became free in time")
    report = report_of(
        [
            Outcome(index=n, key=key, item=None, status="failed", error=error)
            for n, key in enumerate(["in", "7", "x.png"])
        ]
    )
    assert list(report.error_groups) == ["TransportError: no connection became free in time"]


def test_pickle_without_what_cannot_be_pickled(tmp_path):
    """A report leaves a process pool whatever its items were."""
    deep = []
    for _ in range(5000):
        deep = [deep]
    (tmp_path / "x.png").touch()
    with (tmp_path / "x.png").open("rb") as file:
        items = [file, lambda: None, deep, {"name": "a"}, b"x" * 10]
        report = BulkReport()
        for n, item in enumerate(items):
            error = InputError("raised an exception")
            error.__cause__ = ZeroDivisionError()
            report.add(Outcome(index=n, key=None, item=item, status="failed", error=error, retryable=True))
        copy = pickle.loads(pickle.dumps(report.as_error()))

    found = copy.report.retry_items
    assert [type(item) for item in found] == [str, str, str, dict, bytes]
    assert found[0].startswith("<_io.BufferedReader name=")
    assert found[2] == "(list, nested too deeply to be pickled)"
    assert found[3:] == items[3:]
    assert [outcome.item for outcome in copy.report.results] == found
    assert type(copy.report.results[0].error.__cause__) is ZeroDivisionError
    assert str(copy) == str(report.as_error())
