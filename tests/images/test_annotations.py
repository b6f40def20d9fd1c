"""What the ids of a bitmap mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from segments.utils import get_semantic_bitmap

from segments_async import ImageSegmentationAnnotation, InputError
from segments_async.images import MAX_ID, check_annotations, mismatch, pixel_counts, semantic
from segments_async.images.runs import runs_of

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=9)
FEW_IDS = arrays(np.uint32, SHAPES, elements=st.sampled_from([0, 1, 2, 3, MAX_ID]))


def meaning(*pairs):
    return [{"id": number, "category_id": category} for number, category in pairs]


@given(arrays(np.uint32, SHAPES, elements=st.integers(0, 5)), st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_semantic_is_that_of_the_official_sdk(array, categories):
    annotations = meaning(*enumerate(categories, 1))

    assert np.array_equal(semantic(array, annotations), get_semantic_bitmap(array, annotations))
    raised = semantic(array, annotations, id_increment=2)
    assert np.array_equal(raised, get_semantic_bitmap(array, annotations, 2))


def test_semantic_takes_models_and_the_largest_id():
    annotations = [ImageSegmentationAnnotation(id=MAX_ID, category_id=3)]

    assert semantic([[MAX_ID, 0]], annotations).tolist() == [[3, 0]]


def test_what_has_no_annotation_is_unlabelled():
    """The official SDK ends with an IndexError where the id is larger than all that are known."""
    assert semantic([[1, 2, 9]], meaning((2, 4))).tolist() == [[0, 4, 0]]
    assert semantic([[0, 1]], []).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        (meaning((1, 2), (1, 3)), r"annotations\[1\].id: another annotation has the id 1"),
        (meaning((0, 2)), r"annotations\[0\].id: expected an id from 1 to 16777215, got 0"),
        (meaning((MAX_ID + 1, 2)), r"annotations\[0\].id: expected an id from 1"),
        (meaning((True, 2)), r"annotations\[0\].id: expected an integer, got bool"),
        ([{"id": 1}], r"annotations\[0\].category_id: is missing"),
        ([7], r"annotations\[0\].id: is missing"),
    ],
)
def test_invalid_annotations(annotations, says):
    with pytest.raises(InputError, match=says):
        semantic([[1]], annotations)


def test_a_category_below_zero_is_refused():
    with pytest.raises(InputError, match="id_increment: category 1 becomes -1"):
        semantic([[1]], meaning((1, 1)), id_increment=-2)


def test_mismatch():
    """Both directions are reported, in order; a mismatch without differences is false."""
    found = mismatch([[0, 5, 4, 1]], meaning((1, 7), (3, 7), (2, 7)))

    assert (found.without_pixels, found.without_annotation) == ([2, 3], [4, 5])
    assert not mismatch([[0, 1]], meaning((1, 7)))
    check_annotations([[0, 1]], meaning((1, 7)))
    with pytest.raises(InputError, match="annotations: pixels have ids that no annotation has: 4, 5; annotations have"):
        check_annotations([[0, 5, 4, 1]], meaning((1, 7), (3, 7), (2, 7)))


def test_a_long_mismatch_is_cut_short():
    assert str(mismatch([list(range(1, 41))], [])).endswith("1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 30 more")


@given(FEW_IDS)
def test_pixels_are_counted(array):
    numbers, counts = np.unique(array[array > 0], return_counts=True)

    assert list(pixel_counts(array).items()) == list(zip(numbers.tolist(), counts.tolist(), strict=True))


@given(FEW_IDS, st.booleans())
def test_runs_are_those_of_masks(array, by_columns):
    """Area, box and runs of each object are what one gets from a mask of it."""
    for number, part in runs_of(array, by_columns=by_columns).items():
        mask = array == number
        rows, columns = np.nonzero(mask)
        assert part.area == mask.sum()
        assert (part.left, part.right) == (columns.min(), columns.max() + 1)
        assert (part.top, part.bottom) == (rows.min(), rows.max() + 1)
        flat = np.zeros(mask.size, bool)
        for start, end in zip(part.starts, part.ends, strict=True):
            flat[start:end] = True
        assert np.array_equal(flat, mask.ravel(order="F" if by_columns else "C"))
