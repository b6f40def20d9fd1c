"""A webhook is read if it is genuine, whole and fresh; anything else is a WebhookError."""

from __future__ import annotations

import doctest
import json
import pickle
import traceback
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
import standardwebhooks.webhooks
from hypothesis import given, strategies as st
from starlette.datastructures import Headers
from svix.webhooks import Webhook

from segments_async import (
    Dataset,
    InputError,
    Issue,
    Label,
    Release,
    Sample,
    SegmentsError,
    WebhookError,
    structure,
    unstructure,
    webhooks,
)
from segments_async.models.webhooks import EVENTS
from segments_async.testing import ManualClock
from segments_async.webhooks import ReplayGuard, SampleCreated, UnknownEvent, message_id, parse, sign, verify

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = {
    "event_type": "sample.created",
    "created_at": "2021-08-09T14:40:19.987691+00:00",
    "api_version": "2021-08-01",
    "dataset": "jane/flowers",
    "object": {"uuid": "u-1", "name": "rose.png", "robot": 3},
    "text": "Sample rose.png created in dataset jane/flowers.",
}
BODY = json.dumps(EVENT).encode()


def by_svix(body=BODY, *, secret=SECRET, name="msg_1", ago=0.0, family="svix"):
    """What svix itself, which delivers for the service, would send."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        f"{family}-id": name,
        f"{family}-timestamp": str(int(at.timestamp())),
        f"{family}-signature": Webhook(secret).sign(name, at, body.decode()),
    }


@pytest.mark.parametrize("family", ["svix", "webhook"])
def test_what_svix_signs_is_read(family):
    event = verify(BODY, by_svix(family=family), SECRET)

    assert isinstance(event, SampleCreated)
    assert isinstance(event.object, Sample)
    assert event.object.name == "rose.png"
    assert event.dataset == "jane/flowers"
    assert event.created_at == datetime(2021, 8, 9, 14, 40, 19, 987691, UTC)


@pytest.mark.parametrize("family", ["svix", "webhook"])
def test_what_we_sign_svix_reads(family):
    Webhook(SECRET).verify(BODY, sign(BODY, SECRET, family=family))
    assert isinstance(verify(BODY, sign(BODY, SECRET, family=family), SECRET), SampleCreated)


def test_the_vector_of_the_specification(monkeypatch):
    """The one that all implementations of Standard Webhooks are tested by, signed and read."""
    name, body, at = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC)

    headers = sign(body, OTHER, message_id=name, timestamp=at, family="webhook")

    assert headers == {
        "webhook-id": name,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return at

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Then)
    with pytest.raises(WebhookError, match="not an event: event_type: missing"):  # so it is genuine
        verify(body, headers, OTHER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"body": BODY + b" "}, "No matching signature", id="altered by a space"),
        pytest.param({"body": BODY.replace(b"rose", b"Rose")}, "No matching signature", id="altered"),
        pytest.param({"body": b""}, "empty", id="empty"),
        pytest.param({"body": b"\xff\xfe"}, "malformed", id="not UTF-8"),
        pytest.param({"secret": OTHER}, "No matching signature", id="another secret"),
        pytest.param({"svix-id": "msg_2"}, "No matching signature", id="another id"),
        pytest.param({"svix-id": None}, "not signed", id="no id"),
        pytest.param({"svix-timestamp": None}, "not signed", id="no time"),
        pytest.param({"svix-signature": None}, "not signed", id="no signature"),
        pytest.param({"svix-signature": ""}, "not signed", id="empty signature"),
        pytest.param({"svix-signature": "v1,AAAA"}, "No matching signature", id="wrong signature"),
        pytest.param({"svix-signature": "v1,x"}, "malformed", id="no base64"),
        pytest.param({"svix-signature": "v1,\u00e9\u00e9\u00e9\u00e9"}, "malformed", id="not ASCII"),
        pytest.param({"svix-signature": "AAAA"}, "malformed", id="no version"),
        pytest.param({"svix-signature": ",,,"}, "malformed", id="commas"),
        pytest.param({"svix-timestamp": "soon"}, "Invalid Signature Headers", id="no number"),
        pytest.param({"svix-timestamp": "nan"}, "Invalid Signature Headers", id="NaN"),
        pytest.param({"svix-timestamp": "1e400"}, "Invalid Signature Headers", id="infinite"),
        pytest.param({"svix-timestamp": "-1"}, "too old", id="before 1970"),
    ],
)
def test_what_is_refused(change, words):
    headers = {**by_svix(), **{name: value for name, value in change.items() if name.startswith("svix-")}}
    headers = {name: value for name, value in headers.items() if value is not None}
    with pytest.raises(WebhookError, match=words) as caught:
        verify(change.get("body", BODY), headers, change.get("secret", SECRET))

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value, SegmentsError)


def test_another_version_of_signature_is_ignored():
    headers = by_svix()
    headers["svix-signature"] = headers["svix-signature"].replace("v1,", "v2,")
    with pytest.raises(WebhookError, match="No matching signature"):
        verify(BODY, headers, SECRET)


def test_one_good_signature_among_several_is_enough():
    """Svix sends one for each of its secrets while one is being replaced."""
    headers = by_svix()
    headers["svix-signature"] = f"v1,AAAA v1a,AAAA {headers['svix-signature']} v2,AAAA"
    assert isinstance(verify(BODY, headers, SECRET), SampleCreated)


JUNK = [
    "v1",
    "v1,",
    ",",
    "v1,\u00e9",
    "v1,x",
    "AAAA",
    "v1,=",
    "v1,A===",
    "v2,AAAA",
    "v1a,AAAA",
    "v1,AAAA,AAAA",
    "v1,AAAA",
]


@given(
    before=st.lists(st.sampled_from(JUNK)),
    after=st.lists(st.sampled_from(JUNK)),
    separator=st.sampled_from([" ", "  ", "\t", ",", ", "]),
)
def test_one_good_signature_among_junk_is_enough(before, after, separator):
    headers = by_svix()
    headers["svix-signature"] = separator.join([*before, headers["svix-signature"], *after])
    assert isinstance(verify(BODY, headers, SECRET), SampleCreated)


@given(junk=st.lists(st.sampled_from(JUNK) | st.text(max_size=20), min_size=1))
def test_junk_alone_is_refused(junk):
    with pytest.raises(WebhookError):
        verify(BODY, {**by_svix(), "svix-signature": " ".join(junk)}, SECRET)


def test_signatures_in_several_headers():
    """As a proxy may split them."""
    headers = by_svix()
    signature = headers.pop("svix-signature")
    pairs = [*headers.items(), ("svix-signature", signature), ("svix-signature", "v1,AAAA")]
    assert isinstance(verify(BODY, Headers(raw=[(a.encode(), b.encode()) for a, b in pairs]), SECRET), SampleCreated)
    pairs.append(("svix-id", "msg_2"))
    with pytest.raises(WebhookError):
        verify(BODY, Headers(raw=[(a.encode(), b.encode()) for a, b in pairs]), SECRET)


@pytest.mark.parametrize("ago", [-310, 310, 86_400])
def test_five_minutes_and_not_more(ago):
    with pytest.raises(WebhookError, match="too"):
        verify(BODY, by_svix(ago=ago), SECRET)
    assert verify(BODY, by_svix(ago=270 if ago > 0 else -270), SECRET)


def test_families_are_not_mixed():
    """Half of one and half of the other is neither."""
    svix, standard = by_svix(), by_svix(family="webhook")
    mixed = {"svix-id": svix["svix-id"], "svix-timestamp": svix["svix-timestamp"]}
    with pytest.raises(WebhookError, match="not signed"):
        verify(BODY, {**mixed, "webhook-signature": standard["webhook-signature"]}, SECRET)
    assert verify(BODY, {**mixed, **standard}, SECRET)


def test_names_of_headers_in_any_case():
    headers = {name.title(): value for name, value in by_svix().items()}
    assert verify(BODY, headers, SECRET)
    assert message_id(headers) == "msg_1"


def test_rotation():
    """While a secret is replaced, the old and the new one count."""
    assert verify(BODY, by_svix(), [OTHER, SECRET])
    assert verify(BODY, by_svix(secret=OTHER), (OTHER, SECRET))
    with pytest.raises(WebhookError):
        verify(BODY, by_svix(), [OTHER])


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_\u00e9", " ", [], [""], [SECRET, ""], None, 7, "whsec_A"])
def test_an_invalid_secret_is_refused(secret):
    """An empty secret would accept every message."""
    with pytest.raises((InputError, TypeError)) as caught:
        verify(BODY, sign(BODY, SECRET), secret)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("whsec_" + b64encode(bytes(range(23))).decode(), "at least 24 bytes in base64, got 23"),
        ("whsec_", "at least 24 bytes"),
        ("changeme", "at least 24 bytes"),
        ("whsec_...", "base64"),
        ("whsec_" + "your_secret_here" * 2, "base64"),
        ("<your secret>", "base64"),
        (SECRET + "!", "base64"),
        (SECRET + "=", "base64"),
        (SECRET[:20] + " " + SECRET[20:], "base64"),
        (SECRET[:20] + "\n" + SECRET[20:], "base64"),
        (SECRET.replace("+", "-"), "base64"),
        ("whsec_" + SECRET, "base64"),
        ("whsec_" + b64encode(bytes(range(25))).decode().replace("GA==", "GB=="), "base64"),
        ("whsec_" + "x" * 32, "placeholder"),
        ("whsec_" + b64encode(b"your-webhook-secret-goes-here!").decode(), "placeholder"),
        ("whsec_" + b64encode(b"CHANGEME-before-you-deploy-this").decode(), "placeholder"),
        ("whsec_" + "A" * 44, "placeholder"),
        ("whsec_" + "abcd" * 10, "placeholder"),
        ("whsec_" + "0123456789abcdef" * 2, "placeholder"),
        ("whsec_" + "YourSigningSecretGoesHereInside1" * 1, "placeholder"),
        ("whsec_" + "ExampleExampleForDocumentation12", "placeholder"),
        (SECRET.encode(), "expected a string"),
    ],
)
def test_a_secret_that_was_never_copied(secret, words):
    with pytest.raises(InputError, match=words) as caught:
        verify(BODY, sign(BODY, SECRET), [secret])
    assert str(secret)[6:] not in str(caught.value) or not str(secret)[6:]
    assert caught.value.__context__ is None


@pytest.mark.parametrize("secret", [f" {SECRET}\n", SECRET.removeprefix("whsec_")])
def test_a_secret_as_a_file_or_another_service_has_it(secret):
    assert verify(BODY, sign(BODY, SECRET), secret)


@given(st.binary(min_size=24, max_size=64))
def test_random_secrets_are_accepted(key):
    """But for those that no one would draw."""
    for text in (b64encode(key).decode(), b64encode(key).decode().rstrip("=")):
        try:
            headers = sign(BODY, f"whsec_{text}")
        except InputError:
            assert any(key.startswith(key[length:]) for length in range(1, 13))
        else:
            Webhook(f"whsec_{b64encode(key).decode()}").verify(BODY, headers)


def test_a_wrong_secret_is_not_shown():
    with pytest.raises(InputError) as caught:
        verify(BODY, by_svix(), "whsec_hunter2-\u00e9")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [BODY.decode(), EVENT, None])
def test_the_body_is_bytes(body):
    """A decoded body cannot be verified, so that mistake is named."""
    with pytest.raises(InputError, match="body: expected the raw bytes"):
        verify(body, by_svix(), SECRET)


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b"{", b'{"event_type": null}', b'{"event_type": ["a"]}'])
def test_a_genuine_message_that_is_not_an_event(body):
    with pytest.raises(WebhookError, match="webhook msg_1 is genuine, but the webhook is not an event") as caught:
        verify(body, sign(body, SECRET, message_id="msg_1"), SECRET)
    assert caught.value.status == 200


def test_the_error_pickles():
    error = pickle.loads(pickle.dumps(WebhookError("webhook msg_1 refused")))
    assert isinstance(error, WebhookError)
    assert str(error) == "webhook msg_1 refused"


def test_a_message_is_accepted_once():
    guard, headers = ReplayGuard(), by_svix()
    assert verify(BODY, headers, SECRET, replay=guard)
    with pytest.raises(WebhookError, match="msg_1 is being processed") as caught:
        verify(BODY, headers, SECRET, replay=guard)
    assert caught.value.status == 409
    with pytest.raises(WebhookError, match="is being processed"):  # sent again with a new signature
        verify(BODY, by_svix(ago=3), SECRET, replay=guard)
    assert verify(BODY, by_svix(name="msg_2"), SECRET, replay=guard)
    guard.release("msg_1")
    assert verify(BODY, headers, SECRET, replay=guard)
    guard.finish("msg_1")
    with pytest.raises(WebhookError, match="msg_1 was already processed") as caught:
        verify(BODY, headers, SECRET, replay=guard)
    assert caught.value.status == 200


def test_the_status_of_what_is_not_genuine():
    with pytest.raises(WebhookError) as caught:
        verify(BODY, {}, SECRET)
    assert caught.value.status == 400
    assert pickle.loads(pickle.dumps(WebhookError("x", status=409))).status == 409


def test_a_forged_message_takes_no_id():
    """Otherwise anyone could block a genuine message."""
    guard = ReplayGuard()
    with pytest.raises(WebhookError):
        verify(BODY, by_svix(secret=OTHER), SECRET, replay=guard)
    assert verify(BODY, by_svix(), SECRET, replay=guard)


def test_the_guard_forgets_old_and_surplus_ids():
    clock = ManualClock(0.0)
    guard = ReplayGuard(seconds=600, most=2, clock=clock.time)
    assert guard.claim("a")
    clock.now = 599.0
    assert not guard.claim("a")
    clock.now = 600.0
    assert guard.claim("a")
    assert guard.claim("b")
    assert guard.claim("c")
    assert guard.claim("a")
    assert not guard.claim("c")


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 599},
        {"seconds": float("nan")},
        {"most": 0},
        {"lease": 0},
        {"lease": float("nan")},
        {"lease": 90_000},
    ],
)
def test_invalid_guard(wrong):
    with pytest.raises(InputError):
        ReplayGuard(**wrong)


@pytest.mark.parametrize("kind", EVENTS)
def test_every_type_has_a_class_named_after_it(kind):
    thing, _, happened = kind.partition(".")
    event = parse(json.dumps({**EVENT, "event_type": kind}).encode())
    assert type(event).__name__ == thing.capitalize() + happened.capitalize()
    model = {"dataset": Dataset, "sample": Sample, "label": Label, "issue": Issue, "release": Release}[thing]
    assert type(event.object) is model


def test_a_new_type_is_data():
    event = parse(json.dumps({**EVENT, "event_type": "robot.created", "speed": 7}).encode())
    assert type(event) is UnknownEvent
    assert event.object == EVENT["object"]
    assert event.extra == {"speed": 7}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from([*EVENTS, "robot.created"]), thing=JSON, more=st.dictionaries(st.text("xyz"), JSON))
def test_lossless(kind, thing, more):
    """All data of an event is kept, known or not."""
    wire = {**more, "event_type": kind, "object": thing}
    event = structure(wire, EVENTS.get(kind, UnknownEvent))
    back = unstructure(event)
    assert back == wire if thing is not None else back == {k: v for k, v in wire.items() if k != "object"}


def test_the_time_of_a_signature():
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5)))
    headers = sign(BODY, SECRET, message_id="m", timestamp=at)
    assert headers["svix-timestamp"] == str(int(at.timestamp()))
    assert headers["svix-signature"] == Webhook(SECRET).sign("m", at.astimezone(UTC), BODY.decode())
    with pytest.raises(InputError, match="zone"):
        sign(BODY, SECRET, timestamp=datetime(2026, 1, 2))  # noqa: DTZ001 (that is the mistake)
    with pytest.raises(InputError, match="UTF-8"):
        sign(b"\xff", SECRET)


def test_the_examples_of_the_docstrings():
    for module in (webhooks, webhooks._stores):
        assert doctest.testmod(module).failed == 0


def test_an_event_of_too_many_objects():
    """10 MB that the route lets through would become 300 MB or more."""
    with pytest.raises(WebhookError, match="256 MB of memory"):
        parse(b'{"event_type":"sample.created","object":[%s[]]}' % (b"[]," * 3_000_000))
