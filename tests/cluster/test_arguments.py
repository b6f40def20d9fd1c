"""Arguments, versions and the limiter's rules, without a cluster."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import anyio
import pyarrow as pa
import ray
from flowers import DATASET
from hypothesis import given, settings, strategies as st
from ray.data.context import DEFAULT_EXECUTION_NO_PROGRESS_TIMEOUT_S, ShuffleStrategy

from segments_async import AsyncSegments, AuthenticationError, InputError, RateLimitError
from segments_async._wire.shared_rate import SharedRate, Turns
from segments_async.ray import (
    ClientOptions,
    RayLimiter,
    create_samples,
    limiter,
    put_labels,
    read_release,
    read_samples,
    report,
    write_labels,
    write_samples,
)
from segments_async.ray.blocks import BlockWriter, SampleRows
from segments_async.ray.engine import check_version, errors_of_workers, lift_time_limit, without_time_limit
from segments_async.ray.limiter import RateActor
from segments_async.ray.sources import PageSource, ReleaseShards, ReleaseSource, learn_list
from segments_async.resources.samples.page_range import SampleList

pytestmark = pytest.mark.slow  # as importing Ray takes seconds
SAMPLES = {"dataset": DATASET, "columns": None, "if_exists": "return", "since": None, "max_failures": None}
LIST = {"dataset": DATASET, "labelset": None, "include_full_label": False, "filters": {}, "per_page": 10}


def test_the_key_is_in_no_pickle(service, monkeypatch):
    """Of what Ray sends to workers and back: the tasks that read, the workers that write, their results and errors."""
    key = "secret-key-of-this-process"
    options = ClientOptions(limiter=RayLimiter("r", 5.0))
    dataset, count, samples = learn_list(options, SampleList(**LIST))
    release = {"source": Path("v1.json"), "name": None, "labelset": "a", "rows": "labels", "filters": {}}
    shards = ReleaseShards(**release, cache=Path("cache"))
    sent = [
        *PageSource(options, samples, count, dataset).get_read_tasks(2),
        *ReleaseSource(options, shards, 2).get_read_tasks(2),
    ]
    monkeypatch.setenv("SEGMENTS_API_KEY", key)
    writer = BlockWriter(options, SampleRows(**SAMPLES), counts_only=True)
    sent.append(writer)
    results = writer(pa.table({"name": ["a"], "url": ["https://example.com/a.jpg"]}))
    rejected = report.result_of(results.column("result")[0].as_py())
    assert (rejected.stopped, rejected.outcomes[0].error.status) == ("fatal", 401)
    writer.close()
    with pytest.raises(AuthenticationError) as caught:
        learn_list(options, SampleList(**LIST))

    pickles = [ray.cloudpickle.dumps(value) for value in (*sent[:-1], results, caught.value)]
    pickles.append(ray.cloudpickle.dumps((BlockWriter, options, SampleRows(**SAMPLES), learn_list)))
    assert not any(key.encode() in pickled for pickled in pickles)
    with pytest.raises(TypeError, match="api_key"):
        ClientOptions(api_key=key)


def rows(shuffle_strategy="shuffle_v2"):
    """A Dataset, as far as arguments are checked; a real one would start a cluster."""
    dataset = object.__new__(ray.data.Dataset)
    dataset._context = SimpleNamespace(
        shuffle_strategy=ShuffleStrategy(shuffle_strategy),
        execution_no_progress_timeout_s=DEFAULT_EXECUTION_NO_PROGRESS_TIMEOUT_S,
        max_errored_blocks=0,
    )
    dataset._current_executor = None  # it is asked for when the Dataset is deleted
    return dataset


def test_options_without_the_key(monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_KEY", "secret-key-of-this-process")
    options = ClientOptions(base_url="http://127.0.0.1:9", limiter=RayLimiter("r", 5.0))

    assert b"secret-key" not in pickle.dumps(options)
    assert "secret-key" not in repr(options)
    copy = pickle.loads(pickle.dumps(options))
    assert repr(copy) == repr(options)
    assert copy.limiter._owner != options.limiter._owner


@pytest.mark.parametrize(
    ("options", "path"),
    [({"max_connections": 0}, "max_connections"), ({"limiter": 3}, "limiter"), ({"timeout": -1}, None)],
)
def test_options_that_are_wrong(options, path):
    """Found before a worker is started."""
    with pytest.raises(InputError) as caught:
        ClientOptions(**options)
    assert path in (None, caught.value.path)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: write_samples(rows(), "a/b", concurrency=4), "concurrency: use actors"),
        (lambda: put_labels(rows(), batch_size=100), "batch_size: the rows of a label could come into two"),
        (lambda: put_labels(rows(shuffle_strategy="hash_shuffle")), "'shuffle_v2', got 'hash_shuffle'"),
        (lambda: create_samples(rows(), "a/b", concurrency=4), "concurrency: use actors"),
        (lambda: create_samples(None, "a/b", if_exists="error"), "a task that is repeated would fail"),
        (lambda: write_samples(None, "a/b", if_exists="error"), "a task that is repeated would fail"),
        (lambda: write_samples(None, "a/b", if_exists="other"), "expected 'return' or 'update'"),
        (lambda: write_samples(None, "a/b", on_error="skip"), "expected 'collect' or 'raise'"),
        (lambda: write_labels(None, max_failures=-1), "at least 0"),
        (lambda: write_labels(None, partitions=0), "partitions"),
        (lambda: write_samples(None, "a/b", actors=0), "actors"),
        (lambda: write_samples(None, "a/b"), "ray.data.Dataset, got NoneType"),
        (lambda: write_labels([]), "ray.data.Dataset, got list"),
        (lambda: read_samples("a/b", rows="labels"), "needs one"),
        (lambda: read_samples("a/b", rows="pages"), "expected 'samples' or 'labels'"),
        (lambda: read_samples("a/b", label_status="DONE"), "DONE"),
        (lambda: read_samples("a/b", options={}), "expected ClientOptions"),
        (lambda: read_release("a/b"), "needs the release's name"),
        (lambda: read_release("https://example.com/v1.json"), "expected a path, a Release"),
        (lambda: RayLimiter(""), "name of an actor"),
        (lambda: RayLimiter("r", 0), "calls per second"),
        (lambda: RayLimiter("r", 1e-7), "calls per second"),
    ],
)
def test_arguments_that_are_wrong(call, words):
    with pytest.raises(InputError, match=words):
        call()
    assert not ray.is_initialized()


def test_what_workers_claim():
    """No CPU, as workers that claim CPUs starve the tasks that feed them; unless the user says so."""
    calls = []
    dataset = rows()
    dataset.map_batches = lambda _, **options: calls.append(options) or dataset
    put_labels(dataset, partitions=None, actors=3)
    put_labels(dataset, partitions=None, num_cpus=0.5, compute=ray.data.ActorPoolStrategy(min_size=1, max_size=4))

    assert [options["num_cpus"] for options in calls] == [0, 0.5]
    assert [(options["compute"].min_size, options["compute"].max_size) for options in calls] == [(3, 3), (1, 4)]
    assert [options["batch_size"] for options in calls] == [None, None]


@pytest.mark.parametrize(
    ("options", "dropped", "retries"),
    [({}, 0, 20), ({"max_task_retries": 3}, 0, 3), ({"max_restarts": 0}, 0, None), ({}, -1, None), ({}, 2, None)],
)
def test_a_block_that_kills_its_workers_ends_the_job(options, dropped, retries):
    """Unless Ray would then drop the block without a word."""
    calls = []
    dataset = rows()
    dataset.context.max_errored_blocks = dropped
    dataset.map_batches = lambda _, **options: calls.append(options) or dataset
    put_labels(dataset, partitions=None, **options)
    assert calls[0].get("max_task_retries") == retries


def test_versions():
    check_version(ray.__version__)
    with pytest.warns(UserWarning, match=r"not with 1\.0\.0"):
        check_version("1.0.0")


def test_without_ray():
    """The message says what to install."""
    code = "import sys; sys.modules['ray'] = None; import segments_async.ray"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "segments-async[ray]"' in ended.stderr


@pytest.mark.parametrize("wrapped", [True, False])
def test_errors_arrive_as_what_they_are(wrapped):
    cause = RateLimitError(429, "GET", "http://a/b", "slow down")
    error = ray.exceptions.RayTaskError("f", "traceback", cause)
    with pytest.raises(RateLimitError, match="slow down") as caught, errors_of_workers():
        raise error.as_instanceof_cause() if wrapped else error
    assert caught.value.status == 429


def test_other_errors_stay():
    with pytest.raises(ZeroDivisionError), errors_of_workers():
        raise ZeroDivisionError


@pytest.mark.parametrize("limit", [DEFAULT_EXECUTION_NO_PROGRESS_TIMEOUT_S, 60.0])
def test_a_write_may_take_longer_than_rays_half_an_hour(limit):
    """Unless the user has set a limit. After a write it is as before; a lazy step is executed later."""
    lifted = limit if limit == 60 else -1
    context = SimpleNamespace(execution_no_progress_timeout_s=limit)
    with without_time_limit(context):
        assert context.execution_no_progress_timeout_s == lifted
    assert context.execution_no_progress_timeout_s == limit
    lift_time_limit(context)
    assert context.execution_no_progress_timeout_s == lifted


def test_a_lazy_step_may_take_longer():
    dataset = rows()
    dataset.map_batches = lambda *_, **__: dataset
    assert put_labels(dataset, partitions=None).context.execution_no_progress_timeout_s == -1


def test_the_actor_follows_the_rules():
    actor = RateActor()
    assert actor.call("reserve", "k", "a", 8, None) == Turns(8)
    turns = actor.call("reserve", "k", "a", 8, 100.0)
    assert (turns.calls, turns.spacing) == (8, pytest.approx(0.01))
    actor.call("give_back", "k", "a", 8, 100.0)
    actor.call("refused", "k", "a", 30.0, 100.0)
    actor.call("learned", "k", "a", 3.0, 100.0)
    held = actor.call("reserve", "k", "b", 1, 100.0)
    assert held.calls == 0
    assert 29 < held.wait <= 30
    assert actor.call("reserve", "other", "b", 1, 100.0).calls == 1


STEPS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.sampled_from("ab"),
        st.one_of(
            st.tuples(st.just("reserve"), st.integers(0, 40)),
            st.tuples(st.just("refused"), st.sampled_from([0.1, 1.0, 30.0])),
            st.tuples(st.just("learned"), st.floats(1, 500)),
            st.tuples(st.just("give_back"), st.integers(1, 10)),
        ),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([None, 50.0]))
@settings(max_examples=50)
def test_the_actor_gives_the_turns_of_the_rules(steps, fixed):
    """Also if the rate is measured: one measures at a time, and all keep to what it learned."""
    actor, rules, now = RateActor(), SharedRate(fixed), 1_000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limiter.time, "monotonic", lambda: now)
        for seconds, owner, (step, value) in steps:
            now += seconds
            answer = actor.call(step, "key", owner, value, fixed)
            arguments = (owner, value) if step in ("reserve", "learned") else (value,)
            assert answer == getattr(rules, step)(now, *arguments)


def test_what_one_worker_learns_is_kept_by_all(monkeypatch):
    now = 1_000.0
    monkeypatch.setattr(limiter.time, "monotonic", lambda: now)
    actor = RateActor()
    actor.call("refused", "k", "a", 1.0, None)
    now += 1.5
    assert actor.call("reserve", "k", "a", 8, None) == Turns(8, measure=True)
    assert actor.call("reserve", "k", "b", 8, None).calls == 0
    actor.call("learned", "k", "a", 40.0, None)
    turns = actor.call("reserve", "k", "b", 8, None)
    assert (turns.spacing, turns.measure) == (pytest.approx(1 / 40, rel=0.05), False)


def test_a_limiter_without_a_cluster(sandbox, caplog):
    """The client continues with its own limiter, and says why."""

    async def call():
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=RayLimiter("r")) as client:
            await client.users.me()

    anyio.run(call)
    assert any("ray.init()" in record.message for record in caplog.records)


class FoundActors(RayLimiter):
    """A limiter whose actors are in this process; `found` counts them."""

    found = 0
    error: Exception | None = None

    def _get_actor(self):
        self.found += 1
        self._node = limiter._this_node()
        return SimpleNamespace(call=SimpleNamespace(remote=self.answer))

    async def answer(self, *_):
        if self.error is not None:
            raise self.error
        return Turns(1)


def test_a_limiter_of_another_cluster(monkeypatch):
    """After an error, and in another cluster, the actor is found again; without one, none is started."""
    monkeypatch.setattr(limiter, "_this_node", lambda: node)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    shared, node = FoundActors("r"), "first"

    async def ask():
        return await shared.reserve("key", 1)

    assert [anyio.run(ask) for _ in range(2)] == [Turns(1)] * 2
    assert shared.found == 1
    node = "second"
    anyio.run(ask)
    assert shared.found == 2
    shared.error = Exception("Failed to submit task to actor")
    with pytest.raises(Exception, match="Failed to submit"):
        anyio.run(ask)
    shared.error = None
    anyio.run(ask)
    assert shared.found == 3
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(FoundActors, "_get_actor", RayLimiter._get_actor)
    with pytest.raises(RuntimeError, match=r"after ray\.init\(\)"):
        anyio.run(ask)
    assert not hasattr(ray._private.worker.global_worker, "core_worker")


def test_it_works_on_asyncio_only(sandbox):
    async def call():
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=RayLimiter("r")) as client:
            await client.users.me()

    with pytest.raises(InputError, match="asyncio only"):
        anyio.run(call, backend="trio")
