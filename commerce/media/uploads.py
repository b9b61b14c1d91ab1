"""Taking an image in: looked at by a worker, kept as an object, and then made an image of its product.

The object comes first: an image that a product shows is always there. One whose transaction then failed is an orphan,
and `commerce.media.orphans` removes it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace

from pydantic import TypeAdapter

from commerce.catalog.commands import ImageData, ProductData
from commerce.catalog.entities import Image
from commerce.catalog.service import CatalogService
from commerce.media.entities import MediaImage
from commerce.media.errors import ImageTypeMismatch, refusal
from commerce.media.models import MediaImageRow
from commerce.media.program import IMAGES
from core.clock import Clock
from core.database import WriteSession
from core.ids import new_id
from core.objects import Objects
from core.threads import in_thread
from core.workers.pool import Workers
from core.workers.program import Refused

# What browsers and tools call the same types.
_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a worker says of an image; believed as far as its types go."""

    media_type: str
    width: int
    height: int
    transparent: bool


_FOUND = TypeAdapter(Found)


class Uploads:
    def __init__(self, objects: Objects, workers: Workers, clock: Clock) -> None:
        self._objects = objects
        self._pool = workers.pool(IMAGES)
        self._clock = clock

    async def take_in(
        self, product_id: str, read: Callable[[], Awaitable[bytes]], *, declared: str | None
    ) -> MediaImage:
        """Looks at the file and keeps it; `read` is called when a worker is free. `declared` is its Content-Type.

        Raises InvalidImage's kinds, WorkersBusy, WorkerLost, ObjectsUnavailable.
        """
        async with self._pool.turn() as ask:
            data = await read()
            try:
                answer, _ = await ask({"do": "inspect"}, data)
            except Refused as refused:
                raise refusal(refused.code, str(refused)) from refused
            found = _FOUND.validate_python(answer)
            _require_type(declared, found.media_type)
            image = MediaImage(
                id=new_id("img"),
                product_id=product_id,
                sha256=await in_thread(lambda: hashlib.sha256(data).hexdigest()),
                bytes=len(data),
                created_at=self._clock.now(),
                **asdict(found),
            )
            await self._objects.put(image.original_key, data)
        return image


def _require_type(declared: str | None, found: str) -> None:
    if declared is not None and declared.startswith("image/") and _ALIASES.get(declared, declared) != found:
        raise refusal(ImageTypeMismatch.code, f"the bytes are {found}, the Content-Type says {declared[:60]}")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a product shows an image: `url` is the image's address for clients."""

    url: str
    alt: str
    expected_version: int | None = None


async def attach(catalog: CatalogService, session: WriteSession, image: MediaImage, placement: Placement) -> Image:
    """Makes it the last image of its product, in the session's transaction. Raises as `CatalogService.update` does."""
    session.add(MediaImageRow(**asdict(image)))
    await session.flush()
    added = ImageData(placement.url, placement.alt, image.width, image.height, id=image.id)

    def with_image(product: ProductData) -> ProductData:
        return replace(product, images=(*product.images, added))

    product = await catalog.update(image.product_id, with_image, expected_version=placement.expected_version)
    return product.images[-1]
