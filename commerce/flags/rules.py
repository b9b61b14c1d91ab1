"""What can be switched off, by which name."""

import re
from collections.abc import Collection
from difflib import get_close_matches

from commerce.flags.errors import NotSwitchable, UnknownTarget
from core.errors import FieldError

_NEAR = 5
_FLAGS = re.compile(r"[A-Z]+ /internal/flags(/.*)?")
# Also where their whole mount is off.
ALWAYS_ON = {
    "GET /healthz": "whoever runs this process asks it whether to start it again",
    "GET /readyz": "balancers ask it whether to send requests here",
    "GET /internal/health": "operators ask it what is wrong",
    "POST /internal/auth/token": "operators sign in there to switch things on again",
    "GET /public/problems/{code}": "it explains to callers what they are refused with",
}
_MOUNTS_ALWAYS_ON = {"internal": "its flags could not be reached any more; switch routes of it off instead"}


def canonical(target: str) -> str:
    """`/graphql` as `graphql`, `post /public/v1/orders/` as `POST /public/v1/orders`."""
    method, blank, template = target.strip().partition(" ")
    if not blank:
        return method.strip("/")
    return f"{method.upper()} /{template.strip().strip('/')}"


def why_always_on(target: str) -> str | None:
    """None for what can be switched off."""
    if _FLAGS.fullmatch(target):
        return "with it things are switched on again"
    return ALWAYS_ON.get(target) or _MOUNTS_ALWAYS_ON.get(target)


def check_target(target: str, known: Collection[str]) -> None:
    """Raises UnknownTarget with what is near, NotSwitchable."""
    if target not in known:
        near = get_close_matches(target, known, n=_NEAR)
        meant = f"; did you mean {', '.join(map(repr, near))}?" if near else ": GET /internal/topology lists them"
        told = f"{target[:200]!r} is no mount and no route{meant}"
        raise UnknownTarget(told, errors=(FieldError("/path/target", "unknown", told),))
    why = why_always_on(target)
    if why is not None:
        raise NotSwitchable(f"{target} cannot be switched off: {why}")
