"""The attributes of a sandbox that can be set while it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.sandbox.arguments import check_callable, check_choice, check_count, check_seconds, is_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async.sandbox.state import State
    from segments_async.sandbox.storage import ObjectStore
    from segments_async.sandbox.variants import Variants


class Adjustments:
    """The attributes of `Sandbox` that can be set later; a value that can never apply raises ValueError."""

    _state: State
    _store: ObjectStore
    _clock: Callable[[], float]
    _latency: float

    @property
    def clock(self) -> Callable[[], float]:
        """Returns the current time of the service, in seconds since the Unix epoch."""
        return self._clock

    @clock.setter
    def clock(self, clock: Callable[[], float]) -> None:
        check_callable("clock", clock, "the time")
        self._clock = clock

    @property
    def latency(self) -> float:
        """Seconds to wait before handling each API request."""
        return self._latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        check_seconds("latency", seconds)
        self._latency = seconds

    @property
    def release_seconds(self) -> float:
        """Seconds that releases created from now on stay PENDING."""
        return self._state.release_seconds

    @release_seconds.setter
    def release_seconds(self, seconds: float) -> None:
        check_seconds("release_seconds", seconds)
        self._state.release_seconds = seconds

    @property
    def max_per_page(self) -> int:
        """Rows per page at most."""
        return self._state.max_per_page

    @max_per_page.setter
    def max_per_page(self, rows: int) -> None:
        check_count("max_per_page", rows, "rows", least=1)
        self._state.max_per_page = rows

    @property
    def url_seconds(self) -> float:
        """Validity of file URLs signed from now on, in seconds; one hour by default, and below 0 they have expired."""
        return self._store.signer.get_seconds

    @url_seconds.setter
    def url_seconds(self, seconds: float) -> None:
        if not is_number(seconds):
            raise ValueError(f"url_seconds: expected seconds, got {seconds!r}.")
        self._store.signer.get_seconds = seconds

    @property
    def fail_releases(self) -> bool:
        """Whether releases created from now on end as FAILED."""
        return self._state.fail_releases

    @fail_releases.setter
    def fail_releases(self, fail: bool) -> None:
        check_choice("fail_releases", fail, (True, False))
        self._state.fail_releases = fail

    @property
    def ignores_unknown_labelsets(self) -> bool:
        """
        Whether a list of samples with an unknown ``labelset`` returns samples without labels, instead of a 404.

        Which of the two the service does is not documented.
        """
        return self._state.ignores_unknown_labelsets

    @ignores_unknown_labelsets.setter
    def ignores_unknown_labelsets(self, ignore: bool) -> None:
        check_choice("ignores_unknown_labelsets", ignore, (True, False))
        self._state.ignores_unknown_labelsets = ignore

    @property
    def redirects_slashes(self) -> bool:
        """Whether every path without a trailing slash is redirected to the one with it, as Django does by default."""
        return self._state.redirects_slashes

    @redirects_slashes.setter
    def redirects_slashes(self, redirect: bool) -> None:
        check_choice("redirects_slashes", redirect, (True, False))
        self._state.redirects_slashes = redirect

    @property
    def variants(self) -> Variants:
        """Forms of the service that its documentation leaves open: set its fields to try your code with the others."""
        return self._state.variants
