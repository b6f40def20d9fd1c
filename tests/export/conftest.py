from __future__ import annotations

import pytest
from release_builder import ReleaseBuilder, blobs, jpeg


@pytest.fixture
async def segmentation(client):
    """Three samples: two with objects, one without a label; one object has no pixels."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    one = blobs(40, 30, [1, 2, 3, 4], seed=1)
    annotations = [
        {"id": 1, "category_id": 1},
        {"id": 2, "category_id": 2, "attributes": {"torn": True}},
        {"id": 3, "category_id": 3},
        {"id": 4, "category_id": 2},
        {"id": 200, "category_id": 2},
    ]
    await builder.segmented("violet.jpg", one, annotations, metadata={"city": "Ulm"})
    builder.add("unlabelled.jpg", await builder.put(jpeg(5, 5), "image.jpg"), None)
    two = blobs(25, 50, [7, 9], seed=2)
    await builder.segmented(
        "a rose.png", two, [{"id": 9, "category_id": 3}, {"id": 7, "category_id": 1}], status="REVIEWED"
    )
    return builder


@pytest.fixture
async def shapes(client):
    """Boxes, polygons, points and a polyline."""
    builder = ReleaseBuilder(client, "vector")
    await builder.drawn(
        "violet.jpg",
        [
            {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [31.5, 40]]},
            {"id": 2, "category_id": 2, "type": "polygon", "points": [[0, 0], [10, 0], [10, 5.5], [0, 5]]},
            {"id": 3, "category_id": 3, "type": "point", "points": [[7.25, 8]]},
        ],
    )
    await builder.drawn("rose.jpg", [{"id": 1, "category_id": 3, "type": "bbox", "points": [[0, 0], [64, 48]]}])
    await builder.drawn("empty.jpg", [])
    builder.add("unlabelled.jpg", await builder.put(jpeg(5, 5), "image.jpg"), None)
    return builder
