"""REST of webhooks: endpoints, their secrets, and what was sent to them."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import TypeAdapter

from commerce.webhooks import entities
from commerce.webhooks.commands import Redeliver, RotateSecret, SendTest
from commerce.webhooks.errors import (
    DeliveryInProgress,
    DeliveryNotFound,
    EndpointDisabled,
    EndpointNotFound,
    InvalidEndpoint,
    TooManyEndpoints,
)
from commerce.webhooks.redelivery import Redelivered, RedeliveryService
from commerce.webhooks.repository import WebhookRepository
from commerce.webhooks.service import EndpointService
from core.errors import Invalid, StaleVersion
from core.eventlog import CursorTooOld
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.pagination import InvalidCursor
from core.web.conditional import expected_version, version_tag
from core.web.idempotency import InvalidIdempotencyKey
from public_api.errors import problems
from public_api.routing import public_router
from public_api.webhooks.dependencies import DeskDep, EndpointsDep, IfMatch, WebhooksDep, WebhookWriter
from public_api.webhooks.schemas import (
    Delivery,
    DeliveryQuery,
    DeliverySlice,
    Endpoint,
    EndpointCreate,
    EndpointSlice,
    EndpointUpdate,
    NewEndpoint,
    Range,
    RedeliveredRange,
    SliceQuery,
    create_command,
    delivery_schema,
    endpoint_schema,
    new_endpoint_schema,
    range_command,
    range_schema,
    update_command,
)

router = public_router(tags=["Webhooks"])
_NEW = TypeAdapter(entities.NewEndpoint)
_DELIVERY = TypeAdapter(entities.Delivery)
_RANGE = TypeAdapter(Redelivered)
_NO_STORE = {"Cache-Control": "no-store"}
_ONCE = (InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInProgress)


@router.get("/webhook-endpoints", summary="List webhook endpoints", responses=problems(Invalid, InvalidCursor))
async def list_webhook_endpoints(
    response: Response, query: Annotated[SliceQuery, Query()], principal: WebhookWriter, webhooks: WebhooksDep
) -> EndpointSlice:
    """Newest first. Yours; admins and the shop's own keys see everybody's. No secret is shown."""
    found = await webhooks.endpoints(principal, limit=query.limit, after=query.after)
    response.headers.update(_NO_STORE)
    return EndpointSlice(items=[endpoint_schema(each) for each in found.items], next=found.next_cursor)


@router.post(
    "/webhook-endpoints",
    status_code=201,
    summary="Add a webhook endpoint",
    responses=problems(Invalid, InvalidEndpoint, TooManyEndpoints, *_ONCE),
)
async def create_webhook_endpoint(
    request: Request, response: Response, body: EndpointCreate, desk: DeskDep
) -> NewEndpoint:
    """It is sent every event from now on of its types that its owner may see, as a POST of a CloudEvent, signed after
    Standard Webhooks with the secret, which is shown this once (with an Idempotency-Key, also to a retry).

    Made with an API key, it sees no more than the key: orders need `orders:read`, reports `reports:read`, support rooms
    `support:write`, products that are not on sale `catalog:write`. It stays when the key is revoked.

    Answer 2xx within 15 seconds. Anything else is tried again for three days, with the same `webhook-id` and body;
    later events of the same subject wait. 410 disables the endpoint. An event may come twice: remember its id.
    """
    made = await desk.with_secret(create_command(body), EndpointService.create, _NEW)
    address = request.url_for("public:v1:get_webhook_endpoint", endpoint_id=made.endpoint.id)
    tag = version_tag(made.endpoint.version)
    response.headers.update({"Location": str(address), "ETag": tag, **_NO_STORE})
    return new_endpoint_schema(made)


@router.get("/webhook-endpoints/{endpoint_id}", summary="Read a webhook endpoint", responses=problems(EndpointNotFound))
async def get_webhook_endpoint(
    response: Response, endpoint_id: str, principal: WebhookWriter, webhooks: WebhooksDep
) -> Endpoint:
    """One of somebody else is not found."""
    endpoint = await _get(webhooks, endpoint_id, principal)
    response.headers.update({"ETag": version_tag(endpoint.version), **_NO_STORE})
    return endpoint_schema(endpoint)


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    summary="Change a webhook endpoint",
    responses=problems(Invalid, InvalidEndpoint, EndpointNotFound, StaleVersion),
)
async def update_webhook_endpoint(
    response: Response,
    endpoint_id: str,
    body: EndpointUpdate,
    endpoints: EndpointsDep,
    if_match: IfMatch = None,
) -> Endpoint:
    """Fields that are left out stay. What is in line goes to the new address; to give one, you must be allowed to see
    what the endpoint is sent. Enabled again, it gets what happens from then on; ask for what it missed by a range.
    """
    endpoint = await endpoints.update(update_command(endpoint_id, body, expected_version(if_match)))
    response.headers.update({"ETag": version_tag(endpoint.version), **_NO_STORE})
    return endpoint_schema(endpoint)


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    status_code=204,
    response_class=Response,  # no body, and so no Content-Type
    summary="Delete a webhook endpoint",
    responses=problems(EndpointNotFound),
)
async def delete_webhook_endpoint(endpoint_id: str, endpoints: EndpointsDep) -> None:
    """At once, with all that waits for it and all that is known of what was sent."""
    await endpoints.delete(endpoint_id)


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    summary="Rotate a webhook secret",
    responses=problems(EndpointNotFound, *_ONCE),
)
async def rotate_webhook_secret(response: Response, endpoint_id: str, desk: DeskDep) -> NewEndpoint:
    """A new secret, shown this once. For 24 hours each delivery has a signature of the present one too."""
    made = await desk.with_secret(RotateSecret(endpoint_id), EndpointService.rotate, _NEW)
    response.headers.update({"ETag": version_tag(made.endpoint.version), **_NO_STORE})
    return new_endpoint_schema(made)


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    status_code=202,
    summary="Send a test event",
    responses=problems(EndpointNotFound, EndpointDisabled, *_ONCE),
)
async def test_webhook_endpoint(response: Response, endpoint_id: str, desk: DeskDep) -> Delivery:
    """Of the type `webhook.test`, sent at once by the way that all events go, and tried once. How it went is seen in
    the list of deliveries.
    """
    sent = await desk.redeliver(SendTest(endpoint_id), RedeliveryService.test, _DELIVERY)
    response.headers.update(_NO_STORE)
    return delivery_schema(sent)


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    summary="List deliveries",
    responses=problems(Invalid, InvalidCursor, EndpointNotFound),
)
async def list_webhook_deliveries(
    response: Response,
    endpoint_id: str,
    query: Annotated[DeliveryQuery, Query()],
    principal: WebhookWriter,
    webhooks: WebhooksDep,
) -> DeliverySlice:
    """Newest first. Those that are over are kept for 30 days."""
    endpoint = await _get(webhooks, endpoint_id, principal)
    found = await webhooks.deliveries(endpoint.id, limit=query.limit, after=query.after, state=query.state)
    response.headers.update(_NO_STORE)
    return DeliverySlice(items=[delivery_schema(each) for each in found.items], next=found.next_cursor)


@router.post(
    "/webhook-endpoints/{endpoint_id}/redeliver",
    status_code=202,
    summary="Deliver a part of the log again",
    responses=problems(Invalid, InvalidCursor, CursorTooOld, EndpointNotFound, EndpointDisabled, *_ONCE),
)
async def redeliver_range(response: Response, endpoint_id: str, body: Range, desk: DeskDep) -> RedeliveredRange:
    """The events after the one id, up to and with the other, that the endpoint would get now: again, or for the first
    time if it missed them. At most 500 a call: go on with `next`.
    """
    done = await desk.redeliver(range_command(endpoint_id, body), RedeliveryService.redeliver_range, _RANGE)
    response.headers.update(_NO_STORE)
    return range_schema(done)


@router.post(
    "/webhook-deliveries/{delivery_id}/redeliver",
    status_code=202,
    summary="Deliver again",
    responses=problems(DeliveryNotFound, EndpointDisabled, DeliveryInProgress, *_ONCE),
)
async def redeliver_webhook(response: Response, delivery_id: str, desk: DeskDep) -> Delivery:
    """With the same id and body, now and from the first attempt on, whatever became of it before."""
    sent = await desk.redeliver(Redeliver(delivery_id), RedeliveryService.redeliver, _DELIVERY)
    response.headers.update(_NO_STORE)
    return delivery_schema(sent)


async def _get(webhooks: WebhookRepository, endpoint_id: str, principal: WebhookWriter) -> entities.Endpoint:
    endpoint = await webhooks.get(endpoint_id, principal)
    if endpoint is None:
        raise EndpointNotFound(f"no webhook endpoint {endpoint_id[:40]!r}")
    return endpoint
