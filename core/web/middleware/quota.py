"""What a request spends of its caller's budget, and how its answer tells (draft-ietf-httpapi-ratelimit-headers)."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.budget import Budget, QuotaExceeded
from core.ratelimit import Verdict
from core.web.finished import headers_in

_STARTS = ("http.response.start", "websocket.http.response.start")


async def spend(connection: HTTPConnection, budget: Budget, caller: str, points: int) -> None:
    """Leaves what came of it where the middleware finds it. Raises QuotaExceeded."""
    verdict = await budget.spend(caller, points)
    connection.scope["state"]["quota"] = verdict
    if not verdict.allowed:
        raise QuotaExceeded(points, verdict)


def told_quota(verdict: Verdict) -> bytes:
    """The headers (`core.web.finished`) of the policy, and of what is left of it."""
    limit = verdict.limit
    return (
        f'ratelimit-policy: "{limit.name}";q={limit.amount};w={limit.seconds}\r\n'
        f'ratelimit: "{limit.name}";r={verdict.remaining};t={verdict.reset_seconds}\r\n'
    ).encode()


class QuotaMiddleware:
    """Tells the policy and what is left in every answer for which something was spent, and in each that a limit refuses
    (`core.web.errors`), of that limit.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] in _STARTS:
                verdict: Verdict | None = scope["state"].get("quota")
                if verdict is not None:
                    message["headers"] = [*message["headers"], *headers_in(told_quota(verdict))]
            await send(message)

        await self.app(scope, receive, tell)
