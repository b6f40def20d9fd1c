"""The sandbox sends webhooks and signs them like the service: svix, which the service uses, accepts them."""

from __future__ import annotations

import json

import httpx
import pytest
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook

from segments_async.sandbox import Sandbox

IMAGE = {"image": {"url": "https://example.com/rose.png"}}


@pytest.fixture
def api(sandbox):
    headers = {"Authorization": f"APIKey {sandbox.api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, verify=False, trust_env=False) as client:
        yield client


def events_in(inbox):
    return [json.loads(body) for _, body in inbox.got]


def test_every_change_sends_a_webhook_in_order(sandbox, api, inbox, until):
    secret = sandbox.add_webhook(inbox.url)
    flowers = "/datasets/sandbox/flowers"
    api.post("/user/datasets/", json={"name": "flowers"})
    api.patch(f"{flowers}/", json={"description": "Of the garden."})
    rose = {"name": "rose.png", "attributes": IMAGE}
    uuid = api.post(f"{flowers}/samples/", json=rose).json()["uuid"]
    api.post(f"{flowers}/samples_bulk/", json=[rose, {"name": "violet.png", "attributes": IMAGE}])
    api.patch(f"/samples/{uuid}/", json={"priority": 7})
    api.put(f"/labels/{uuid}/ground-truth/", json={"attributes": {"annotations": []}})
    api.patch(f"/labels/{uuid}/ground-truth/", json={"score": 0.5})
    api.delete(f"/labels/{uuid}/ground-truth/")
    api.delete(f"/samples/{uuid}/")
    api.delete(f"{flowers}/")
    until(lambda: len(inbox.got) >= 10 and not sandbox.pending_deliveries)

    assert [event["event_type"] for event in events_in(inbox)] == [
        "dataset.created",
        "dataset.updated",
        "sample.created",
        "sample.created",
        "sample.updated",
        "label.updated",
        "label.updated",
        "label.deleted",
        "sample.deleted",
        "dataset.deleted",
    ]
    for headers, body in inbox.got:
        Webhook(secret).verify(body, headers)


def test_content_of_a_message(sandbox, api, inbox, until):
    """The keys and the words of the service's own example."""
    api.post("/user/datasets/", json={"name": "flowers"})
    sandbox.add_webhook(inbox.url)
    sample = api.post("/datasets/sandbox/flowers/samples/", json={"name": "rose.png", "attributes": IMAGE}).json()
    until(lambda: inbox.got)

    (event,) = events_in(inbox)
    assert event.pop("created_at").endswith("+00:00")
    assert event == {
        "event_type": "sample.created",
        "api_version": "2021-08-01",
        "dataset": "sandbox/flowers",
        "object": sample,
        "text": "Sample rose.png created in dataset sandbox/flowers.",
    }


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_a_release_sends_a_webhook_when_it_is_done(sandbox, api, inbox, until, seconds):
    """Without any request for it, as that is the use of webhooks; a failed release sends none."""
    sandbox.release_seconds = seconds
    sandbox.add_webhook(inbox.url, events=["release.created"])
    api.post("/user/datasets/", json={"name": "flowers"})
    sandbox.fail_releases = True
    api.post("/datasets/sandbox/flowers/releases/", json={"name": "v0"})
    sandbox.fail_releases = False
    api.post("/datasets/sandbox/flowers/releases/", json={"name": "v1"})
    until(lambda: inbox.got)

    (event,) = events_in(inbox)
    assert event["object"]["name"] == "v1"
    assert event["object"]["status"] == "SUCCEEDED"
    assert httpx.get(event["object"]["attributes"]["url"], verify=False, trust_env=False).status_code == 200


def test_only_what_was_asked_for_is_sent(sandbox, api, inbox, until):
    sandbox.add_webhook(inbox.url, events=["dataset.deleted"])
    api.post("/user/datasets/", json={"name": "flowers"})
    api.delete("/datasets/sandbox/flowers/")
    until(lambda: inbox.got)

    assert [event["event_type"] for event in events_in(inbox)] == ["dataset.deleted"]


def test_a_refused_message_is_sent_again_with_its_id(sandbox, inbox, until):
    """Three times at most; then it is dropped, and the next one is sent."""
    inbox.statuses += [500, 503, 500, 302]
    secret = sandbox.add_webhook(inbox.url)
    sandbox.send_event("robot.created", dataset="jane/flowers", object={"name": "r1"})
    sandbox.send_event("robot.created", dataset="jane/flowers", object={"name": "r2"})
    until(lambda: len(inbox.got) == 5 and not sandbox.pending_deliveries)

    assert [event["object"]["name"] for event in events_in(inbox)] == ["r1", "r1", "r1", "r2", "r2"]
    assert len({headers["svix-id"] for headers, _ in inbox.got}) == 2
    assert [(one.attempt, one.status) for one in sandbox.deliveries] == [
        (1, 500),
        (2, 503),
        (3, 500),
        (1, 302),
        (2, 204),
    ]
    assert secret not in repr(sandbox.deliveries)


def test_connection_refused(sandbox, closed_port, until):
    """A message that cannot be delivered is dropped, and does not delay others."""
    sandbox.add_webhook(f"http://127.0.0.1:{closed_port}/")
    sandbox.send_event("robot.created")
    until(lambda: len(sandbox.deliveries) == 3 and not sandbox.pending_deliveries)

    assert [one.status for one in sandbox.deliveries] == [None, None, None]


def test_the_other_family_of_headers(sandbox, inbox, until):
    """The Standard Webhooks specification's names, which its own library reads."""
    secret = sandbox.add_webhook(inbox.url, family="webhook")
    sandbox.send_event("robot.created")
    until(lambda: inbox.got)

    headers, body = inbox.got[0]
    assert "svix-id" not in headers
    StandardWebhook(secret).verify(body, headers)


@pytest.mark.parametrize("url", ["https://example.com/hooks", "http://10.0.0.1/", "ftp://127.0.0.1/", "/hooks", ""])
def test_other_hosts_receive_nothing(url):
    with pytest.raises(ValueError, match="only to loopback URLs"):
        Sandbox().add_webhook(url)


def test_a_stop_drops_messages_in_flight(inbox, until):
    inbox.statuses += [500]
    with Sandbox() as sandbox:
        sandbox.add_webhook(inbox.url)
        sandbox.send_event("robot.created")
        until(lambda: inbox.got)
    assert sandbox.deliveries == () or sandbox.deliveries[0].status == 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"events": "label.updated"}, "events: expected a list of event types or None for all, got 'label.updated'"),
        ({"events": ["label.update"]}, "unknown event type 'label.update'; did you mean 'label.updated'?"),
        ({"events": ["label.updated", "robot"]}, "unknown event type 'robot'; expected one of dataset.created"),
        ({"events": []}, "events: expected at least one event type"),
        ({"events": 7}, "events: expected a list"),
        ({"family": "svik"}, "family: expected one of 'svix', 'webhook', got 'svik'"),
    ],
)
def test_a_webhook_that_is_never_sent(sandbox, arguments, words):
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        sandbox.add_webhook("http://127.0.0.1:8000/", **arguments)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://127.0.0.1:x/", 7, None])
def test_a_webhook_to_an_impossible_address(sandbox, url):
    with pytest.raises(ValueError, match=r"^url: expected a"):
        sandbox.add_webhook(url)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dataset": 7}, "dataset: expected 'owner/name' or None, got 7"),
        ({"dataset": "flowers"}, "dataset: expected 'owner/name'"),
        ({"object": {1, 2}}, "object: expected JSON"),
    ],
)
def test_an_event_that_no_service_would_send(sandbox, arguments, words):
    with pytest.raises(ValueError, match=words):
        sandbox.send_event("robot.created", **arguments)


def test_an_event_without_a_type(sandbox):
    with pytest.raises(ValueError, match="event_type: expected a type"):
        sandbox.send_event("")


def test_an_event_is_pending_at_once(sandbox, inbox, until):
    sandbox.add_webhook(inbox.url)
    for number in range(20):
        sandbox.send_event("robot.created", object={"name": str(number)})
        assert sandbox.pending_deliveries + len(sandbox.deliveries) >= number + 1
    until(lambda: not sandbox.pending_deliveries)
    assert [event["object"]["name"] for event in events_in(inbox)] == list(map(str, range(20)))


@pytest.mark.anyio
async def test_waiting_for_deliveries(sandbox, api, inbox):
    inbox.statuses += [500, 204]
    sandbox.add_webhook(inbox.url)
    sandbox.send_event("robot.created")
    api.post("/user/datasets/", json={"name": "flowers"})
    delivered = await sandbox.deliveries()
    assert [(one.event_type, one.status) for one in delivered] == [
        ("robot.created", 500),
        ("robot.created", 204),
        ("dataset.created", 204),
    ]
    assert delivered == sandbox.deliveries == await sandbox.deliveries()


@pytest.mark.anyio
async def test_waiting_for_deliveries_that_take_too_long(sandbox, closed_port):
    sandbox.add_webhook(f"http://127.0.0.1:{closed_port}/")
    for _ in range(10):
        sandbox.send_event("robot.created")
    with pytest.raises(TimeoutError, match=r"not delivered after 0 s: \d+\."):
        await sandbox.deliveries(timeout=0)


def test_an_event_of_a_stopped_sandbox():
    with Sandbox() as sandbox:
        pass
    with pytest.raises(RuntimeError, match="not started"):
        sandbox.send_event("robot.created")
