"""REST of images. They are addressed by their ids, and never change: what changes is which product shows them."""

from typing import Annotated, Literal, get_args

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import StreamingResponse

from commerce.catalog import entities
from commerce.catalog.errors import InvalidProduct, ProductNotFound
from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from commerce.catalog.uploaded import ADDRESS
from commerce.media.commands import UploadImage
from commerce.media.derivatives import Derivative, Derivatives, Format, negotiated
from commerce.media.entities import MediaImage
from commerce.media.errors import REFUSALS, ImageNotFound, ImageTooLarge
from commerce.media.geometry import MAX_SIZE, Fit, box_of
from commerce.media.jobs import MakeDerivatives, make_derivatives
from commerce.media.repository import MediaRepository, Shown
from commerce.media.uploads import Placement, Uploads, attach
from core.database import WriteSession
from core.errors import AppError, StaleVersion
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.objects import ObjectsUnavailable
from core.resources import Resources
from core.web.conditional import expected_version, is_current, not_modified
from core.web.dependencies import ResourcesDep
from core.web.errors import ContentTooLarge, UnsupportedMediaType
from core.web.idempotency import InvalidIdempotencyKey
from core.web.middleware.head import is_head
from core.workers.pool import WorkerLost, WorkersBusy
from public_api.auth import CatalogWriter, PrincipalDep
from public_api.catalog.dependencies import IfMatch, IfNoneMatch
from public_api.catalog.schemas import Image
from public_api.errors import problems
from public_api.media.receiving import REQUEST_BODY, received
from public_api.once import OnceDep
from public_api.routing import public_router

router = public_router(tags=["Catalogue"])
_AWAY: tuple[type[AppError], ...] = (WorkersBusy, WorkerLost, ObjectsUnavailable)
_KEY_FAULTS: tuple[type[AppError], ...] = (InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInProgress)
_UPLOAD_FAULTS: tuple[type[AppError], ...] = (
    ProductNotFound,
    StaleVersion,
    ContentTooLarge,
    UnsupportedMediaType,
    InvalidProduct,
    *REFUSALS,
)
# Where a client, or a testing tool, can go on from an upload (OpenAPI links).
_NEXT = {"show": {"operationId": "get_image", "parameters": {"image_id": "$response.body#/id"}}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_IMAGE = TypeAdapter(entities.Image)
_FOR_A_YEAR = "max-age=31536000, immutable"


class ImageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    w: Annotated[int | None, Field(ge=1, le=MAX_SIZE, description="Width in pixels; never more than it has.")] = None
    h: Annotated[int | None, Field(ge=1, le=MAX_SIZE, description="Height in pixels; never more than it has.")] = None
    fit: Annotated[
        Fit,
        Field(
            description="Where both sizes are given. inside: as large as fits. cover: that shape, the rest cut off. "
            "contain: that size, with a margin."
        ),
    ] = "inside"
    format: Annotated[
        Literal["auto", "webp", "avif", "jpeg", "png"],
        Field(description="auto: the smallest that Accept names; JPEG or PNG without."),
    ] = "auto"


@router.post(
    "/products/{product_id}/images",
    response_model=Image,
    status_code=201,
    operation_id="upload_image",
    summary="Upload an image of a product",
    responses={
        201: {"description": "The image, as its product shows it", "links": _NEXT},
        **problems(*_UPLOAD_FAULTS, *_KEY_FAULTS, *_AWAY),
    },
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def upload_image(
    request: Request,
    response: Response,
    product_id: str,
    principal: CatalogWriter,
    once: OnceDep,
    resources: ResourcesDep,
    alt: Annotated[str, Query(description="What it shows; a form may say it in a field of its own.")] = "",
    if_match: IfMatch = None,
) -> Image:
    """As `file` in a form, or as the body itself. It becomes the last image of the product, at the address in `url`.

    JPEG, PNG, WebP, GIF (its first frame) and AVIF, told by their bytes; at most 20 MB, 40 megapixels and 12,000 pixels
    a side.
    """
    version = expected_version(if_match)
    await _require_product(resources, product_id)
    uploads = Uploads(resources.objects, resources.workers, resources.clock)
    async with received(request) as upload:
        image = await uploads.take_in(product_id, upload.read, declared=upload.declared)
        alt = upload.alt if upload.alt is not None else alt
    placement = Placement(_address(request, image, resources), alt, version)

    async def action(session: WriteSession) -> entities.Image:
        await resources.jobs.enqueue(session, make_derivatives, MakeDerivatives(image_id=image.id))
        catalog = CatalogService(session, resources.clock, actor=principal.name)
        return await attach(catalog, session, image, placement)

    shown = await once.run(UploadImage(product_id, image.sha256, alt, version), action, _IMAGE)
    response.headers["Location"] = shown.url
    return Image(id=shown.id, url=shown.url, alt=shown.alt, width=shown.width, height=shown.height)


async def _require_product(resources: Resources, product_id: str) -> None:
    """Before the body is read. Raises ProductNotFound."""
    async with resources.database.read() as session:
        key = await ProductRepository(session).key_of(product_id, include_unpublished=True)
    if key is None or key.id != product_id:
        raise ProductNotFound(f"no product {product_id[:100]!r}")


def _address(request: Request, image: MediaImage, resources: Resources) -> str:
    """What the product keeps: the public address, or without one that which the uploader came by."""
    home = resources.settings.server.public_url
    if home is not None:
        return f"{str(home).rstrip('/')}{ADDRESS}{image.id}"
    return str(request.url_for("public:v1:get_image", image_id=image.id))


@router.get(
    "/images/{image_id}",
    response_class=StreamingResponse,
    operation_id="get_image",
    summary="Show an image",
    responses={
        200: {"description": "The image", "content": {f"image/{kind}": _BINARY for kind in get_args(Format)}},
        304: {"description": "Not modified"},
        **problems(ImageNotFound, ImageTooLarge, *_AWAY),
    },
)
async def get_image(
    request: Request,
    image_id: str,
    query: Annotated[ImageQuery, Query()],
    principal: PrincipalDep,
    resources: ResourcesDep,
    accept: Annotated[str, Header(description="Formats that you read.")] = "",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """In any size, never larger than it was uploaded, without its metadata. What is answered never changes."""
    # A session of its own: none is held while the image is made.
    async with resources.database.read() as session:
        shown = await MediaRepository(session).shown(image_id, include_unpublished=principal.sees_unpublished)
    if shown is None:
        raise ImageNotFound(f"no image {image_id[:100]!r}")
    box = box_of((shown.image.width, shown.image.height), query.w, query.h, query.fit)
    kind = negotiated(accept, shown.image, box) if query.format == "auto" else query.format
    derivative = Derivative(shown.image, box, kind)
    headers = {"ETag": derivative.tag, "Cache-Control": _caching(shown)}
    if query.format == "auto":
        headers["Vary"] = "Accept"
    if is_current(if_none_match, derivative.tag):
        return not_modified(headers)
    body = await Derivatives(resources.objects, resources.workers, resources.flights).open(derivative)
    headers["Content-Length"] = str(body.size)
    if is_head(request.scope):
        return Response(headers=headers, media_type=derivative.media_type)
    return StreamingResponse(body.chunks, headers=headers, media_type=derivative.media_type)


def _caching(shown: Shown) -> str:
    """What is not on sale is for the one who asked, and may be taken away."""
    return f"public, {_FOR_A_YEAR}" if shown.on_sale else "private, no-cache"
