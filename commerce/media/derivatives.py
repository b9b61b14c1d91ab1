"""Images in other sizes and formats: made when they are first asked for, once, and kept beside the original."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from commerce.media.entities import MediaImage, key_prefix
from commerce.media.errors import ImageNotFound, refusal
from commerce.media.geometry import Box
from commerce.media.program import IMAGES
from core.objects import ObjectBody, ObjectNotFound, Objects
from core.single_flight import SingleFlight
from core.workers.pool import Workers
from core.workers.program import Refused

log = structlog.get_logger("portico.media")
Format = Literal["webp", "avif", "jpeg", "png"]
# Of one image; more are made anew each time, so that nobody fills the store by asking for every size there is.
MAX_KEPT = 200
# Part of every key and tag: raised when `pixels` makes other bytes of the same image.
_RECIPE = 1
# `auto` answers larger pictures in WebP: AVIF takes over a second for these.
_LARGEST_AVIF = 2_000_000


@dataclass(frozen=True, slots=True)
class Derivative:
    image: MediaImage
    box: Box
    format: Format

    @property
    def key(self) -> str:
        box = self.box
        return f"{key_prefix(self.image.id)}/{box.width}x{box.height}-{box.fit}-{_RECIPE}.{self.format}"

    @property
    def media_type(self) -> str:
        return f"image/{self.format}"

    @property
    def tag(self) -> str:
        """A strong one: the encoders are deterministic."""
        return f'"{hashlib.blake2b(f"{self.image.sha256} {self.key}".encode(), digest_size=16).hexdigest()}"'


def negotiated(accept: str, image: MediaImage, box: Box) -> Format:
    """The smallest format that an Accept header names; wildcards name none, and get what everybody reads."""
    taken = {kind.strip() for kind, _, quality in _parts(accept) if quality.strip() not in _NEVER}
    if "image/avif" in taken and box.width * box.height <= _LARGEST_AVIF:
        return "avif"
    if "image/webp" in taken:
        return "webp"
    return "png" if image.transparent else "jpeg"


_NEVER = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _parts(accept: str) -> list[tuple[str, str, str]]:
    return [part.lower().partition(";") for part in accept.split(",")]


class Derivatives:
    def __init__(self, objects: Objects, workers: Workers, flights: SingleFlight) -> None:
        self._objects = objects
        self._pool = workers.pool(IMAGES)
        self._flights = flights

    async def open(self, derivative: Derivative) -> ObjectBody:
        """Raises ImageNotFound, ImageTooLarge, WorkersBusy, WorkerLost, ObjectsUnavailable."""
        with suppress(ObjectNotFound):
            return await self._objects.stream(derivative.key)
        data = await self._flights.run(derivative.key, lambda: self._made(derivative))
        return ObjectBody(len(data), _once(data))

    async def make(self, derivative: Derivative) -> None:
        """Ahead of who will ask for it. Raises as `open`."""
        if await self._objects.head(derivative.key) is None:
            await self._flights.run(derivative.key, lambda: self._made(derivative))

    async def _made(self, derivative: Derivative) -> bytes:
        async with self._pool.turn() as ask:
            # Who looked before the one before us had finished is here too.
            with suppress(ObjectNotFound):
                return await self._objects.get(derivative.key)
            image, box = derivative.image, derivative.box
            try:
                original = await self._objects.get(image.original_key)
            except ObjectNotFound as error:
                log.error("original_is_missing", image=image.id)  # noqa: TRY400  no traceback says more
                raise ImageNotFound(f"the file of image {image.id!r} is gone") from error
            order = {
                "do": "derive",
                "media_type": image.media_type,
                "width": box.width,
                "height": box.height,
                "picture": box.picture,
                "fit": box.fit,
                "format": derivative.format,
            }
            try:
                _, data = await ask(order, original)
            except Refused as refused:
                raise refusal(refused.code, str(refused)) from refused
        if await self._kept(image) < MAX_KEPT:
            await self._objects.put(derivative.key, data)
        return data

    async def _kept(self, image: MediaImage) -> int:
        return len([each async for each in self._objects.list(key_prefix(image.id))]) - 1


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
