"""Plays the people who label, so that labels come without any: not for a dataset that matters."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003 (FastAPI reads types at run time)

from fastapi import APIRouter
from pydantic import BaseModel, PositiveInt

from segments_async import ImageVectorAnnotation, ImageVectorLabelAttributes
from segments_async.fastapi import InteractiveSegments  # noqa: TC001 (likewise)

router = APIRouter()


class Size(BaseModel):
    """Of an image, in pixels."""

    width: PositiveInt
    height: PositiveInt


@router.post("/samples/{uuid}/label", status_code=202)
async def label(uuid: UUID, size: Size, client: InteractiveSegments) -> None:
    """Put a box around the middle of an image; the page hears of it by webhook, as of every other label."""
    middle = ImageVectorAnnotation.bbox(
        (size.width * 0.2, size.height * 0.2), (size.width * 0.8, size.height * 0.8), id=1, category_id=1
    )
    attributes = ImageVectorLabelAttributes(annotations=[middle])
    await client.labels.put(str(uuid), "ground-truth", attributes, label_status="LABELED")
