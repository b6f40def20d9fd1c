"""Simulated labeling, for demos without people who label. Do not use it with a real dataset."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003 (FastAPI evaluates annotations at run time)

from fastapi import APIRouter
from pydantic import BaseModel, PositiveInt

from segments_async import ImageVectorAnnotation, ImageVectorLabelAttributes
from segments_async.fastapi import InteractiveSegments  # noqa: TC001 (FastAPI evaluates annotations at run time)

router = APIRouter()


class Size(BaseModel):
    """The size of an image in pixels."""

    width: PositiveInt
    height: PositiveInt


@router.post("/samples/{uuid}/label", status_code=202)
async def label(uuid: UUID, size: Size, client: InteractiveSegments) -> None:
    """Label the center of an image with a box. As for any other label, the page is updated by a webhook."""
    box = ImageVectorAnnotation.bbox(
        (size.width * 0.2, size.height * 0.2), (size.width * 0.8, size.height * 0.8), id=1, category_id=1
    )
    attributes = ImageVectorLabelAttributes(annotations=[box])
    await client.labels.put(str(uuid), "ground-truth", attributes, label_status="LABELED")
