"""Jobs of images: the sizes that pages ask for are made when an image comes in, not when the first shopper waits."""

from pydantic import BaseModel

from commerce.media.derivatives import Derivative, Derivatives, negotiated
from commerce.media.entities import MediaImage
from commerce.media.geometry import box_of
from commerce.media.repository import MediaRepository
from core.jobs.registry import job, queue
from core.jobs.run import JobRun

IMAGES = queue("images", per_process=1).name  # the workers are there for those who wait, too
WIDTHS = (320, 800, 1600)
# What browsers say that read AVIF, those that read WebP, and everything else.
_ACCEPTS = ("image/avif,image/webp", "image/webp", "")


class MakeDerivatives(BaseModel):
    image_id: str


@job("media.derivatives", queue=IMAGES, max_attempts=6, timeout_seconds=300)
async def make_derivatives(run: JobRun, args: MakeDerivatives) -> dict[str, int]:
    """An image that is gone meanwhile needs none. A step that is done is there, and is not made again."""
    resources = run.resources
    async with resources.database.read() as session:
        shown = await MediaRepository(session).shown(args.image_id, include_unpublished=True)
    wanted = _derivatives(shown.image) if shown is not None else []
    derivatives = Derivatives(resources.objects, resources.workers, resources.flights)
    for done, derivative in enumerate(wanted):
        await run.progress(done / len(wanted), derivative.key)
        await derivatives.make(derivative)
    return {"derivatives": len(wanted)}


def _derivatives(image: MediaImage) -> list[Derivative]:
    size = (image.width, image.height)
    boxes = dict.fromkeys(box_of(size, width, None, "inside") for width in WIDTHS)
    found = [Derivative(image, box, negotiated(accept, image, box)) for box in boxes for accept in _ACCEPTS]
    return list(dict.fromkeys(found))
