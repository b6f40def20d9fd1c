"""Which task attributes can be sent."""

from types import MappingProxyType

import pytest

from segments_async import InputError, TaskAttributeCategory, TaskAttributes, structure
from segments_async._wire.categories import check_task_attributes

CAR = {"name": "car", "id": 1}
KIND = {"name": "kind", "input_type": "select", "values": ["van"]}
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
        ({"categoris": [CAR]}, "task_attributes.categoris: unknown key; did you mean 'categories'?"),
        (
            {"format_version": "0.1", "categoris": []},
            "task_attributes.categoris: unknown key; did you mean 'categories'?",
        ),
        ({"labels": [CAR]}, f"task_attributes: no known key; {EXAMPLE}"),
        (MappingProxyType({"labels": [CAR]}), f"task_attributes: no known key; {EXAMPLE}"),
        (
            {"categories": [CAR, {**CAR, "id": 2, "colour": [1, 2, 3]}]},
            "task_attributes.categories[1].colour: unknown key; did you mean 'color'?",
        ),
        (
            {"categories": [{"nam": "car", "id": 1}]},
            "task_attributes.categories[0].nam: unknown key; did you mean 'name'?",
        ),
        (
            {"categories": ({**CAR, "attributes": [{**KIND, "defaultvalue": "van"}]},)},
            "task_attributes.categories[0].attributes[0].defaultvalue: unknown key; did you mean 'default_value'?",
        ),
        (
            {"categories": [{**CAR, "link_attributes": [{"name": "kind", "input_type": "select", "vales": ["van"]}]}]},
            "task_attributes.categories[0].link_attributes[0].vales: unknown key; did you mean 'values'?",
        ),
        (
            {"image_attributes": [{"name": "a", "inputtype": "text"}]},
            "task_attributes.image_attributes[0].inputtype: unknown key; did you mean 'input_type'?",
        ),
        (
            {"image_attributes": [{"name": "a", "type": "text"}]},
            "task_attributes.image_attributes[0].input_type: missing; write 'input_type' instead of 'type'",
        ),
        (
            {"warning_rules": [{"name": "intersecting-cuboids", "excluded_category": [1]}]},
            "task_attributes.warning_rules[0].excluded_category: unknown key; did you mean 'excluded_categories'?",
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
        {"categories": [{**CAR, "supercategory": "vehicle", "names": ["auto"]}], "novel": 1},
        {"categories": [{**CAR, "attributes": [{**KIND, "type": "text", "vales": [], "hint": "?"}]}]},
        {"image_attributes": [{"name": "a", "type": "of ours"}]},
        {"warning_rules": [{"name": "new rule", "categorie": 1}]},
        structure({"categoris": [], "categories": [{**CAR, "colour": [1, 2, 3]}]}, TaskAttributes),
    ],
)
def test_accepted(value):
    check_task_attributes(value)
