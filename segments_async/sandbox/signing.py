"""The signatures of the S3 stand-in: presigned POST forms and presigned GET addresses."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ASSET_BYTES = 100_000_000
MAX_BODY_BYTES = MAX_ASSET_BYTES + 64 * 1024
"""With room for the fields and boundaries of the form."""
EXPIRES_SECONDS = 3600
_ALGORITHM = "AWS4-HMAC-SHA256"


class StorageError(Exception):
    """The storage refuses, with the code and the message that S3 would give."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


class Signer:
    """
    Signs what the API hands out and checks what comes back to the storage.

    Arguments:
        clock: Returns the seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.get_seconds: float = EXPIRES_SECONDS
        """How long addresses made from now on can be read."""
        self._secret = secrets.token_bytes(32)

    def post_fields(self, key: str, content_type: str) -> dict[str, str]:
        """Return the form fields that allow one upload of *key*."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        fields = {
            "acl": "public-read",
            "Content-Type": content_type,
            "key": key,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": f"SANDBOX/{now:%Y%m%d}/eu-west-2/s3/aws4_request",
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        }
        policy = {
            "expiration": f"{now + timedelta(seconds=EXPIRES_SECONDS):%Y-%m-%dT%H:%M:%SZ}",
            "conditions": [
                *({name: value} for name, value in fields.items()),
                ["content-length-range", 0, MAX_ASSET_BYTES],
            ],
        }
        encoded = base64.b64encode(orjson.dumps(policy)).decode()
        return fields | {"policy": encoded, "x-amz-signature": self._sign(encoded)}

    def check_post(self, fields: Mapping[str, str]) -> None:
        """Refuse a form whose fields are not all exactly those that were issued."""
        policy = fields.get("policy", "")
        if not hmac.compare_digest(
            self._sign(policy).encode(), fields.get("x-amz-signature", "").encode("utf-8", "replace")
        ):
            raise StorageError(403, "SignatureDoesNotMatch", "The form's signature does not match its policy.")
        decoded = orjson.loads(base64.b64decode(policy))
        if datetime.fromtimestamp(self._clock(), UTC) > datetime.fromisoformat(decoded["expiration"]):
            raise StorageError(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        issued = {
            name: value for item in decoded["conditions"] if isinstance(item, dict) for name, value in item.items()
        }
        for name, value in issued.items():
            if fields.get(name) != value:
                detail = f'Policy Condition failed: ["eq", "${name}", "{value}"]'
                raise StorageError(403, "AccessDenied", f"Invalid according to Policy: {detail}")
        if extra := fields.keys() - issued.keys() - {"policy", "x-amz-signature"}:
            detail = f"Extra input fields: {', '.join(sorted(extra))}"
            raise StorageError(403, "AccessDenied", f"Invalid according to Policy: {detail}")

    def get_query(self, key: str) -> str:
        """Return the query that allows reading *key* for `get_seconds`."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        date, expires = f"{now:%Y%m%dT%H%M%SZ}", f"{self.get_seconds:g}"
        return urlencode(
            {
                "X-Amz-Algorithm": _ALGORITHM,
                "X-Amz-Credential": f"SANDBOX/{now:%Y%m%d}/eu-west-2/s3/aws4_request",
                "X-Amz-Date": date,
                "X-Amz-Expires": expires,
                "X-Amz-SignedHeaders": "host",
                "X-Amz-Signature": self._sign(f"{key}\n{date}\n{expires}"),
            }
        )

    def check_get(self, key: str, query: Mapping[str, str]) -> None:
        """Refuse a query that was not issued for *key*, or whose time is over."""
        date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        signature = self._sign(f"{key}\n{date}\n{expires}")
        if not hmac.compare_digest(signature.encode(), query.get("X-Amz-Signature", "").encode()):
            raise StorageError(403, "SignatureDoesNotMatch", "The signature is not the one that was calculated.")
        if self._clock() > datetime.strptime(date, "%Y%m%dT%H%M%S%z").timestamp() + float(expires):
            raise StorageError(403, "AccessDenied", "Request has expired")

    def _sign(self, message: str) -> str:
        return hmac.digest(self._secret, message.encode("utf-8", "replace"), "sha256").hex()
