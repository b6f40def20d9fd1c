"""The value of pixels that are not labelled."""

from __future__ import annotations

import pytest

from segments_async import InputError
from segments_async.images import semantic

ANNOTATIONS = [{"id": 1, "category_id": 0}, {"id": 3, "category_id": 7}]


def test_unlabelled_pixels_have_a_value_of_their_own():
    """Also those of an id that no annotation has, whether or not there is a larger one."""
    assert semantic([[0, 1, 2, 3, 9]], ANNOTATIONS, unlabeled=255).tolist() == [[255, 0, 255, 7, 255]]
    assert semantic([[0, 1]], ANNOTATIONS, unlabeled=255).tolist() == [[255, 0]]
    assert semantic([[0, 1]], [], unlabeled=255).tolist() == [[255, 255]]
    assert semantic([[0, 3]], ANNOTATIONS).tolist() == [[0, 7]]
    assert semantic([[0, 3]], ANNOTATIONS, id_increment=1, unlabeled=255).tolist() == [[255, 8]]


@pytest.mark.parametrize("unlabeled", [-1, 2**24, True, 0.5, None])
def test_a_value_out_of_range(unlabeled):
    with pytest.raises(InputError, match="unlabeled: expected an integer"):
        semantic([[0]], [], unlabeled=unlabeled)
