"""What webhooks refuse."""

from core.errors import Conflict, Invalid, NotFound


class EndpointNotFound(NotFound):
    """No webhook endpoint has this id, or none that you may see."""

    code = "webhook_endpoint_not_found"
    title = "Webhook endpoint not found"


class DeliveryNotFound(NotFound):
    """No webhook delivery has this id, or none that you may see. Those that are over are kept for 30 days."""

    code = "webhook_delivery_not_found"
    title = "Webhook delivery not found"


class InvalidEndpoint(Invalid):
    """The address or the description is not one that a webhook endpoint can have. In production it needs https."""

    code = "invalid_webhook_endpoint"
    title = "Invalid webhook endpoint"


class TooManyEndpoints(Conflict):
    """There is a limit to the webhook endpoints of one account. Delete one that you do not use."""

    code = "too_many_webhook_endpoints"
    title = "Too many webhook endpoints"


class EndpointDisabled(Conflict):
    """Nothing is sent to an endpoint that is not enabled. Enable it first."""

    code = "webhook_endpoint_disabled"
    title = "Webhook endpoint disabled"


class DeliveryInProgress(Conflict):
    """The delivery is being sent at this moment. Look at it again in a few seconds."""

    code = "webhook_delivery_in_progress"
    title = "Delivery in progress"
    retryable = True
