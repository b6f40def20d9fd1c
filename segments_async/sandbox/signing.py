"""Signatures of the emulated S3: presigned POST forms and presigned GET URLs."""

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
"""Includes room for the fields and boundaries of the form."""
EXPIRES_SECONDS = 3600
_ALGORITHM = "AWS4-HMAC-SHA256"


class StorageError(Exception):
    """Raised to reject a storage request with the error code and message of S3."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


class Signer:
    """
    Signs forms and URLs for the API, and verifies them for the storage.

    Arguments:
        clock: Returns the seconds since the Unix epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.get_seconds: float = EXPIRES_SECONDS
        """Validity of URLs signed from now on, in seconds."""
        self._secret = secrets.token_bytes(32)

    def post_fields(self, key: str, content_type: str) -> dict[str, str]:
        """Return the form fields that authorize an upload of *key*."""
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
        """Reject a form whose fields differ from those issued."""
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
        """Return the query string that authorizes reading *key* for `get_seconds`."""
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
        """Reject a query that was not issued for *key* or has expired."""
        date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        signature = self._sign(f"{key}\n{date}\n{expires}")
        if not hmac.compare_digest(signature.encode(), query.get("X-Amz-Signature", "").encode()):
            raise StorageError(403, "SignatureDoesNotMatch", "The signature is not the one that was calculated.")
        if self._clock() > datetime.strptime(date, "%Y%m%dT%H%M%S%z").timestamp() + float(expires):
            raise StorageError(403, "AccessDenied", "Request has expired")

    def _sign(self, message: str) -> str:
        return hmac.digest(self._secret, message.encode("utf-8", "replace"), "sha256").hex()
