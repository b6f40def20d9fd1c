"""A value that does not fit: what becomes a DecodeError in a reply and an InputError in an argument."""

from __future__ import annotations

from segments_async.errors import DecodeError, InputError

_MAX_PATH_STEPS = 32


class StructureError(Exception):
    """A value that does not fit, and the keys and indices that lead there, innermost first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []
        self.is_of_unknown_kind = False
        """Whether it is in an object that calls itself something no class describes."""

    @property
    def path(self) -> str:
        """Where it is, such as ``[3].attributes.image.url``; of a very long way, the beginning."""
        way = self.steps[: -_MAX_PATH_STEPS - 1 : -1]
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
        return "".join(steps).removeprefix(".") + ("..." if len(way) < len(self.steps) else "")

    def as_decode_error(self, payload: object) -> DecodeError:
        """Blame a reply, *payload*."""
        return DecodeError(self.problem, path=self.path, payload=payload)

    def as_input_error(self, parent: str = "") -> InputError:
        """Blame an argument; *parent* is where it stands among the others."""
        error = InputError(self.problem, path=self.path)
        return error.under(parent) if parent else error
