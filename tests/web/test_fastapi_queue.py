"""Uploads on a queue: several web processes and workers, each in a process of its own, and some of them killed."""

import json

import pytest
from queue_world import QueueWorld, begin, status, wait_for
from waiting import wait_until

LABELS = 40


@pytest.fixture
def world(sandbox, redis_url):
    with QueueWorld(sandbox, redis_url) as world:
        yield world


def ends(web, name):
    """Follow the events of an upload to its end; returns what they said."""
    with web.stream("GET", f"/uploads/{name}/events") as events:
        assert events.status_code == 200
        return [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]


@pytest.mark.full
def test_each_process_sees_and_controls_all_uploads(world, tmp_path):
    """Status, events, owner, cancel, resume and forget, from the web process that did not start the upload."""
    gate = tmp_path / "gate"
    uuids = world.samples(LABELS)
    first = world.worker()
    (one, _), (other, _) = world.web(), world.web()

    name = begin(one, "boxes", uuids=uuids, gate=str(gate))
    wait_until(lambda: status(other, name)["done"] == LABELS // 2)
    assert other.post(f"/uploads/{name}/resume").json()["state"] == "running"  # it is left alone
    assert other.post(f"/forget/{name}").status_code == 422  # it runs
    assert other.get(f"/uploads/{name}", headers={"X-User": "john"}).status_code == 404
    assert other.delete(f"/uploads/{name}", headers={"X-User": "john"}).status_code == 404

    assert other.delete(f"/uploads/{name}").json() == one.get(f"/now/{name}").json()
    assert (status(one, name)["state"], status(one, name)["done"]) == ("cancelled", LABELS // 2)
    assert one.post(f"/uploads/{name}/resume").json()["state"] in {"queued", "running"}
    wait_for(one, name, "running")
    first.terminate()  # it gives its uploads back, and another worker continues at once
    assert first.wait(60) == 0
    assert status(one, name)["state"] == "queued"
    world.worker()
    gate.touch()
    seen = ends(other, name)
    while seen[-1]["state"] != "done":  # a stream ends after half a minute, and browsers reconnect
        seen = ends(other, name)
    assert (seen[-1]["state"], seen[-1]["done"], seen[-1]["failed"]) == ("done", LABELS, 0)
    assert len(world.puts()) == len(set(world.puts())) == LABELS

    failed = begin(other, "broken", user="john")
    headers = {"X-User": "john"}
    wait_until(lambda: one.get(f"/uploads/{failed}", headers=headers).json()["state"] == "failed")
    assert "secret" not in one.get(f"/uploads/{failed}", headers=headers).text
    assert [upload["id"] for upload in one.get("/uploads/").json()] == [name]
    assert [upload["id"] for upload in one.get("/uploads/", headers=headers).json()] == [failed]

    assert other.post(f"/forget/{name}").status_code == 200
    assert one.get(f"/uploads/{name}").status_code == 404
    assert world.recorded() == []


@pytest.mark.full
def test_a_worker_and_a_web_process_that_are_killed(world, tmp_path):
    """The other worker continues, and sends nothing that was done; the other web process shows it."""
    gate = tmp_path / "gate"
    uuids = world.samples(LABELS)
    first = world.worker()
    (one, web_process), (other, _) = world.web(), world.web()

    name = begin(one, "boxes", uuids=uuids, gate=str(gate))
    wait_until(lambda: len(world.recorded()) == LABELS // 2)
    sent = set(world.puts())
    assert len(sent) == LABELS // 2
    web_process.kill()
    first.kill()
    world.worker()
    gate.touch()

    assert wait_for(other, name, "done")["failed"] == 0
    assert status(other, name)["done"] == LABELS
    assert len(world.puts()) == LABELS  # no label twice
    assert set(world.puts()) > sent
