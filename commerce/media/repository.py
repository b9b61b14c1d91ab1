"""Every read of uploaded images."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import case, exists, func, or_, select

from commerce.catalog.models import ImageRow, ProductRow
from commerce.catalog.text import is_storable
from commerce.media.entities import MediaImage
from commerce.media.models import MediaImageRow
from core.repository import Repository

_COLUMNS = [getattr(MediaImageRow, field.name) for field in fields(MediaImage)]


@dataclass(frozen=True, slots=True)
class Shown:
    """An image, and whether a product that is on sale shows it."""

    image: MediaImage
    on_sale: bool


class MediaRepository(Repository):
    async def shown(self, image_id: str, *, include_unpublished: bool) -> Shown | None:
        """By its own id, or by that of an image of a product whose address leads to it."""
        if not is_storable(image_id):
            return None
        alias = select(ImageRow.media_id).where(ImageRow.id == image_id).scalar_subquery()
        on_sale = func.max(case((ProductRow.status == "active", 1), else_=0))
        statement = (
            select(*_COLUMNS, on_sale)
            .join(ImageRow, ImageRow.media_id == MediaImageRow.id)
            .join(ProductRow, ProductRow.id == ImageRow.product_id)
            .where(or_(MediaImageRow.id == image_id, MediaImageRow.id == alias))
            .group_by(*_COLUMNS)
        )
        row = (await self._session.execute(statement)).one_or_none()
        if row is None or not (row[-1] or include_unpublished):
            return None
        return Shown(MediaImage(*row[:-1]), bool(row[-1]))

    async def unused(self, before: datetime, limit: int) -> list[str]:
        """Uploaded before that moment, and shown by no product."""
        in_use = exists().where(ImageRow.media_id == MediaImageRow.id)
        statement = select(MediaImageRow.id).where(MediaImageRow.created_at < before, ~in_use).limit(limit)
        return list(await self._session.scalars(statement))

    async def known(self, ids: Collection[str]) -> set[str]:
        return set(await self._session.scalars(select(MediaImageRow.id).where(MediaImageRow.id.in_(ids))))
