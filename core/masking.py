"""What of a setting may be shown: credentials are masked, wherever in it they stand. Rather too many than too few."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, SecretStr

MASK = "***"
# Of a setting, a key inside one, or a parameter of an address. Headers hold credentials under any name.
_NAMES = r"pass|pwd|secret|token|key|auth|credential|cookie|session|signature|private|header"
_CREDENTIAL = re.compile(_NAMES, re.IGNORECASE)
# Up to the last @: a password may have one too, and any other mark.
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^\s:/?#@]*):)?\S*@", re.IGNORECASE)
_PARAMETER = re.compile(rf"([?&;][^=&;\s]*(?:{_NAMES})[^=&;\s]*=)[^&;\s]*", re.IGNORECASE)
_SCHEME = re.compile(r"\b(bearer|basic|token)\s+\S+", re.IGNORECASE)


def masked(value: object, name: str = "") -> object:
    """What JSON holds of the value that goes by this name, without credentials."""
    if value is None or value == "":
        return value
    if isinstance(value, SecretStr) or _CREDENTIAL.search(name):
        return MASK
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {str(key): masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    if isinstance(value, bool | int | float):
        return value
    return _masked_text(str(value))


def _masked_text(text: str) -> str:
    text = _PARAMETER.sub(rf"\1{MASK}", text)
    return _SCHEME.sub(rf"\1 {MASK}", _USERINFO.sub(_without_password, text))


def _without_password(userinfo: re.Match[str]) -> str:
    """Databases tell who logs in; over HTTP the name is a key as often as not."""
    named = userinfo["user"] and not userinfo["scheme"].lower().startswith("http")
    return f"{userinfo['scheme']}://{userinfo['user']}:{MASK}@" if named else f"{userinfo['scheme']}://{MASK}@"
