"""What a request spends of its caller's budget, and how its answer tells (draft-ietf-httpapi-ratelimit-headers)."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.budget import Budget, QuotaExceeded
from core.ratelimit import Limit, Verdict

_STARTS = ("http.response.start", "websocket.http.response.start")


async def spend(connection: HTTPConnection, budget: Budget, caller: str, points: int) -> None:
    """Leaves what came of it where the middleware finds it. Raises QuotaExceeded."""
    verdict = await budget.spend(caller, points)
    connection.scope["state"]["quota"] = verdict
    if not verdict.allowed:
        raise QuotaExceeded(points, budget.limit, verdict)


def told_quota(limit: Limit, verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """The policy, and what is left of it."""
    name = limit.name.encode()
    return [
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name, limit.amount, limit.seconds)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (name, verdict.remaining, verdict.reset_seconds)),
    ]


class QuotaMiddleware:
    """Tells the policy and what is left in every answer for which something was spent, also where it is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] in _STARTS:
                state = scope["state"]
                verdict: Verdict | None = state.get("quota")
                if verdict is not None:
                    limit = state["resources"].budget.limit
                    message["headers"] = [*message["headers"], *told_quota(limit, verdict)]
            await send(message)

        await self.app(scope, receive, tell)
