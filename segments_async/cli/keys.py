"""
The API key: of the environment, else of the keyring (extra ``keyring``), else of a file that only its owner can read.

Keys are kept for each address of the service, so that the key of one is never sent to another.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from segments_async.cli.exit_statuses import FAILED, KEY_REFUSED
from segments_async.cli.statuses import CommandError

SERVICE = "segments-async"
DEFAULT_URL = "https://api.segments.ai"


@frozen
class Key:
    """An API key, and where it was found."""

    value: str = field(repr=False)
    place: str


def base_url() -> str:
    """Return the address of the service."""
    return (os.environ.get("SEGMENTS_API_URL") or DEFAULT_URL).rstrip("/")


_seen: set[str] = set()
"""The keys that this process has read."""


def hide_keys(text: str) -> str:
    """Replace the keys that this process has read, should an exception of another library contain one."""
    for key in _seen | {os.environ.get("SEGMENTS_API_KEY", "").strip()} - {""}:
        text = text.replace(key, "***")
    return text


def find_key() -> Key | None:
    """Find the key for the service."""
    key = _find_key()
    if key is not None:
        remember(key.value)
    return key


def needed_key() -> Key:
    """
    Find the key for the service.

    Raises:
        CommandError: There is none.
    """
    key = find_key()
    if key is None:
        raise CommandError(
            f"no API key for {base_url()}",
            status=KEY_REFUSED,
            hint="run `segments-async login`, or set SEGMENTS_API_KEY; keys are at https://segments.ai/account",
        )
    return key


def remember(key: str) -> None:
    """Have `hide_keys` replace *key* too."""
    _seen.add(key)


def _find_key() -> Key | None:
    if key := os.environ.get("SEGMENTS_API_KEY", "").strip():
        return Key(key, "SEGMENTS_API_KEY")
    keyring = _keyring()
    with suppress(Exception):  # whatever is wrong with the keyring, the key may be in the file
        if keyring is not None and (key := keyring.get_password(SERVICE, base_url())):
            return Key(key, "the keyring")
    kept = _read().get(base_url())
    return Key(kept, str(key_file())) if isinstance(kept, str) and kept else None


def keep_key(key: str) -> str:
    """Keep the key for the service, and return where: in the keyring if there is one, otherwise in the file."""
    keyring = _keyring()
    with suppress(Exception):  # a keyring may be locked, or not work without a desktop
        if keyring is not None:
            keyring.set_password(SERVICE, base_url(), key)
            if keyring.get_password(SERVICE, base_url()) == key:
                _change(base_url(), None)
                return "the keyring"
    try:
        _change(base_url(), key)
    except OSError as error:
        problem = f"the key is accepted, but cannot be kept in {key_file()}: {error.strerror}"
        raise CommandError(problem, status=FAILED, hint="set SEGMENTS_API_KEY instead") from error
    return str(key_file())


def forget_key() -> list[str]:
    """Delete the kept keys for the service, and return where they were."""
    places = []
    keyring = _keyring()
    with suppress(Exception):
        if keyring is not None and keyring.get_password(SERVICE, base_url()):
            keyring.delete_password(SERVICE, base_url())
            places.append("the keyring")
    if _change(base_url(), None):
        places.append(str(key_file()))
    return places


def key_file() -> Path:
    """Return the path of the file; it need not exist."""
    from platformdirs import user_config_path

    return Path(user_config_path(SERVICE, appauthor=False)) / "keys.json"


def _keyring() -> Any:
    """Return the module, if the extra is installed and has a backend that keeps anything."""
    try:
        import keyring

        return keyring if keyring.get_keyring().priority > 0 else None
    except Exception:  # noqa: BLE001 (backends raise anything)
        return None


def _read() -> dict[str, Any]:
    try:
        keys = json.loads(key_file().read_bytes())
    except (OSError, ValueError):
        return {}
    return keys if isinstance(keys, dict) else {}


def _change(url: str, key: str | None) -> bool:
    """Set or delete the key for *url* in the file; return whether there was one."""
    keys = _read()
    had = keys.pop(url, None) is not None
    if key is None and not had:
        return False
    if key is not None:
        keys[url] = key
    write_private(key_file(), json.dumps(keys, indent=1).encode())
    return had


def write_private(path: Path, content: bytes) -> None:
    """Replace a file with one that only its owner can read; it is complete or unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
