from __future__ import annotations

from attrs import define, field, fields, validators

_ANY = validators.in_((True, False))


@define
class Variants:
    """
    Forms of the service that its documentation leaves open; by default, each has the form that is more likely.

    Example::

        sandbox.variants.wrong_key_status = 403
        sandbox.variants.keeps_valid_samples = True

    Source: ``docs/service.md``, "Open questions".
    """

    wrong_key_status: int = field(default=401, validator=validators.in_((401, 403)))
    """The status of a request with a wrong key: 401 or 403."""
    taken_name_status: int = field(default=400, validator=validators.in_((400, 409)))
    """The status of a creation whose name is taken: 400 or 409."""
    keeps_valid_samples: bool = field(default=False, validator=_ANY)
    """Whether ``samples_bulk`` creates the valid samples of a request that it refuses, instead of none."""
    put_keeps_fields: bool = field(default=False, validator=_ANY)
    """Whether a PUT of a label keeps the status and the score that it does not name, instead of resetting them."""
    exact_statuses: bool = field(default=False, validator=_ANY)
    """Whether ``label_status`` matches upper case only, instead of any case."""
    ignores_ranges: bool = field(default=False, validator=_ANY)
    """Whether the storage answers a ``Range`` with the whole file, instead of the part."""

    def reset(self) -> None:
        """Restore the default of every field."""
        for attribute in fields(type(self)):
            setattr(self, attribute.name, attribute.default)
