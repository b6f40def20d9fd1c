"""Which task attributes can be sent."""

import pytest

from segments_async import InputError, TaskAttributeCategory, TaskAttributes
from segments_async._wire.categories import check_task_attributes

CAR = {"name": "car", "id": 1}
EXAMPLE = 'expected an object such as {"categories": [{"name": "car", "id": 1}]}'


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["car"], f"task_attributes: {EXAMPLE}, got list"),
        ("car", f"task_attributes: {EXAMPLE}, got str"),
        ({"categories": ["car"]}, "task_attributes.categories[0]: expected an object, got str"),
        (
            {"categories": [{**CAR, "color": [1.0, 0.5, 300]}]},
            "task_attributes.categories[0].color: expected numbers from 0 to 255, got [1.0, 0.5, 300]",
        ),
        (
            {"categories": [CAR, {**CAR, "id": 2}, {**CAR, "name": "van"}]},
            "task_attributes.categories[2].id: 1 is also the id of categories[0]",
        ),
        (
            {"categories": [{**CAR, "attributes": [{"name": "kind", "input_type": "selekt", "values": ["van"]}]}]},
            "task_attributes.categories[0].attributes[0].input_type: unknown type 'selekt'; did you mean 'select'?",
        ),
        (
            {"image_attributes": [{"name": "a", "input_type": "text"}, {"name": "b", "input_type": "Number"}]},
            "task_attributes.image_attributes[1].input_type: unknown type 'Number'; did you mean 'number'?",
        ),
        (
            TaskAttributes(categories=[TaskAttributeCategory(name="a", id=1, color=[-1, 0, 0])]),
            "task_attributes.categories[0].color: expected numbers from 0 to 255, got [-1, 0, 0]",
        ),
    ],
)
def test_refused(value, problem):
    with pytest.raises(InputError) as caught:
        check_task_attributes(value)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"categories": None},
        {"categories": [{**CAR, "color": [0, 127.5, 255, 255]}, {**CAR, "id": 0}]},
        {"categories": [{**CAR, "attributes": [{"name": "a", "input_type": "hologram"}, {"name": "b"}]}]},
    ],
)
def test_accepted(value):
    check_task_attributes(value)
