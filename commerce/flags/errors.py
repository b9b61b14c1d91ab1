"""What flags refuse, and what is refused because of one."""

from datetime import datetime
from math import ceil

from commerce.flags.entities import Flag
from core.errors import Invalid, NotFound, Unavailable

_RETRY_SECONDS = (60, 3600)  # where nobody has said for how long, and at most


class SwitchedOff(Unavailable):
    """An operator has switched this off for a while. Nothing was changed; try again after `Retry-After`."""

    code = "switched_off"
    title = "Switched off"

    def __init__(self, flag: Flag, now: datetime) -> None:
        seconds, most = _RETRY_SECONDS
        if flag.expires_at is not None:
            seconds = max(1, min(most, ceil((flag.expires_at - now).total_seconds())))
        super().__init__(flag.message or "this is switched off for now", retry_after_seconds=seconds)


class UnknownTarget(Invalid):
    """Nothing that could be switched off has this name: a mount, or a method and the template of a route."""

    code = "unknown_target"
    title = "Unknown mount or route"


class NotSwitchable(Invalid):
    """This cannot be switched off: without it nobody could switch anything on again, or see that it is off."""

    code = "not_switchable"
    title = "Cannot be switched off"


class FlagNotFound(NotFound):
    """Nothing of this name is switched off."""

    code = "flag_not_found"
    title = "Not switched off"
