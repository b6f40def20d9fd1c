"""The internal error for an invalid value, which becomes a DecodeError or an InputError."""

from __future__ import annotations

from segments_async.errors import DecodeError, InputError

_MAX_PATH_STEPS = 32


class StructureError(Exception):
    """An invalid value, and the keys and indices of its location, innermost first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []
        self.is_of_unknown_kind = False
        """Whether the value is in an object with an unknown type tag."""

    @property
    def path(self) -> str:
        """The location, such as ``[3].attributes.image.url``; only the beginning if it is very long."""
        outermost = self.steps[: -_MAX_PATH_STEPS - 1 : -1]
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in outermost)
        return "".join(steps).removeprefix(".") + ("..." if len(outermost) < len(self.steps) else "")

    def as_decode_error(self, payload: object) -> DecodeError:
        """Convert to an error about the response *payload*; raise it ``from error.__cause__``."""
        return DecodeError(self.problem, path=self.path, payload=payload)

    def as_input_error(self, parent: str = "") -> InputError:
        """Convert to an error about an argument; *parent* is its location. Raise it ``from error.__cause__``."""
        error = InputError(self.problem, path=self.path)
        for note in getattr(self, "__notes__", ()):
            error.add_note(note)
        return error.under(parent) if parent else error
