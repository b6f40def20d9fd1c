"""Signatures of webhooks: secrets, headers, and whether they match."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook, WebhookVerificationError

from segments_async.errors import InputError, WebhookError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MIN_SECRET_BYTES = 24
"""Minimum length of a secret in the specification of Standard Webhooks."""
_HEADER_PREFIXES = ("svix", "webhook")
"""Prefixes of the header names: that of the service (Svix), and that of the specification."""
_PLACEHOLDER = re.compile("changeme|example|placeholder|replaceme|secret", re.IGNORECASE)
_PUBLISHED = frozenset({"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"})
"""The examples in the documentation of Svix and in the specification of Standard Webhooks."""
# Between spaces, or commas: a proxy may join several headers with those. They may overlap, as in v1,v1,AAAA.
_SIGNATURE = re.compile(r"(?<![^\s,])(?=(\w+,([A-Za-z0-9+/]+={0,2}))(?![^\s,]))")
_MAX_ID = 100


def signers(secret: str | Sequence[str]) -> list[Webhook]:
    """
    Parse the secrets; error messages must not contain them.

    Raises:
        InputError: There is none, or one is not a secret.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise InputError("expected at least one secret", path="secret")
    return [_signer(one) for one in secrets]


def check_secrets(secret: str | Sequence[str]) -> None:
    """
    Check the secrets of an endpoint, which must not be known to everybody; `signers` takes those for tests.

    Raises:
        InputError: There is none, or one is not a secret, or one is printed in public documentation.
    """
    signers(secret)
    for one in [secret] if isinstance(secret, str) else secret:
        if one.strip().removeprefix("whsec_").rstrip("=") in _PUBLISHED:
            raise InputError(
                "is the example of a documentation; copy the secret from the page of the endpoint", path="secret"
            )


def _signer(secret: object) -> Webhook:
    if not isinstance(secret, str):
        raise InputError(f"expected a string such as 'whsec_...', got {type(secret).__name__}", path="secret")
    text = secret.strip().removeprefix("whsec_")
    key = _decode(text)
    if key is None:
        raise InputError(
            "expected 'whsec_' followed by base64, as displayed on the page of the endpoint", path="secret"
        )
    if len(key) < MIN_SECRET_BYTES:
        raise InputError(f"expected at least {MIN_SECRET_BYTES} bytes in base64, got {len(key)}", path="secret")
    if _PLACEHOLDER.search(text) or _PLACEHOLDER.search(key.decode("latin-1")) or _is_repetition(key):
        raise InputError("is a placeholder; copy the secret from the page of the endpoint", path="secret")
    return Webhook(key)


def _decode(text: str) -> bytes | None:
    """Decode strict base64, with or without its padding."""
    bare = text.rstrip("=")
    try:
        key = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:  # its traceback could contain the secret
        return None
    padded = b64encode(key).decode()
    return key if text in {padded, padded.rstrip("=")} else None


def _is_repetition(key: bytes) -> bool:
    return any(key.startswith(key[length:]) for length in range(1, len(key) // 2 + 1))


def standard_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers under the names of the specification; the two families are never mixed."""
    given: dict[str, list[str]] = {}
    for name, value in headers.items():
        if isinstance(name, str) and isinstance(value, str) and value:
            given.setdefault(name.lower(), []).append(value)
    for family in _HEADER_PREFIXES:
        found = {part: given.get(f"{family}-{part}") for part in ("id", "timestamp", "signature")}
        if all(found.values()):
            values: dict[str, Any] = found
            # Signatures in several headers count as those in one; of an id or a timestamp, there is only one.
            separator = {"id": ",", "timestamp": ",", "signature": " "}
            return {f"webhook-{part}": separator[part].join(values[part]) for part in values}
    raise WebhookError("the webhook is not signed: it lacks some svix-* headers and some webhook-* headers")


def check_signature(body: bytes, headers: dict[str, str], signers: Sequence[Webhook]) -> None:
    """
    Check that one of the signatures is of one of the secrets, and that the timestamp is recent.

    Raises:
        WebhookError: It is not.
    """
    signatures = " ".join(_well_formed(headers["webhook-signature"]))
    problem = "malformed signature or body"
    for signer in signers if signatures else ():
        try:
            signer.verify(body, {**headers, "webhook-signature": signatures}, json_parse=False)
        except WebhookVerificationError as error:
            problem = str(error)
        except ValueError:  # the body is not UTF-8
            problem = "malformed signature or body"
        else:
            return
    raise WebhookError(f"webhook {quote_id(headers['webhook-id'])} refused: {problem}")


def _well_formed(signatures: str) -> Iterable[str]:
    """Return the well-formed signatures; one valid signature is enough."""
    for match in _SIGNATURE.finditer(signatures):
        try:
            b64decode(match[2], validate=True)
        except binascii.Error:
            continue
        yield match[1]


def quote_id(message_id: str) -> str:
    """Return a message id for a log: one that a sender may have forged is quoted, escaped and cut."""
    return message_id if message_id.isprintable() and len(message_id) <= _MAX_ID else repr(message_id[:_MAX_ID])
