"""Join the sensors of a sample with those of its label."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from segments_async.models.label_attributes import LabelSensor
from segments_async.models.sample_attributes import SampleSensor

_log = logging.getLogger("segments_async")


class SampleLike(Protocol):
    """A `Sample` or a `ReleaseSample`."""

    @property
    def uuid(self) -> str | None:
        """The identifier assigned by the service; None in some release files."""

    @property
    def attributes(self) -> Any:
        """The data to label."""


def join_sensors(
    sensors: Sequence[SampleSensor], labels: Sequence[LabelSensor], sample: str | None
) -> list[tuple[SampleSensor, LabelSensor | None]]:
    """
    Find the label of each sensor: by name where both have names, and otherwise by position.

    Where names and positions disagree, names win, and a warning is logged.

    Args:
        sensors: The sensors of a sample.
        labels: The sensors of its label.
        sample: Identifies the sample in warnings.

    Returns:
        All sensors, in order, each with its label; None if it has none.
    """
    joined: list[LabelSensor | None] = [None] * len(sensors)
    left: dict[int, LabelSensor] = dict(enumerate(labels))
    for index, sensor in enumerate(sensors):
        found = next((place for place, label in left.items() if label.name and label.name == sensor.name), None)
        if found is not None:
            joined[index] = left.pop(found)
    for index, sensor in enumerate(sensors):
        label = left.get(index)
        if joined[index] is None and label is not None and not (sensor.name and label.name):
            joined[index] = left.pop(index)
    names = [label.name for label in left.values()]
    if names:
        _log.warning("the label of sample %s has sensors %s, which the sample does not have", sample, names)
    elif [label for label in joined if label is not None] != list(labels):
        _log.warning("the label of sample %s has its sensors in another order than the sample", sample)
    return list(zip(sensors, joined, strict=True))
