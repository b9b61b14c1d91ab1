"""What accounts refuse."""

from core.errors import Denied, Invalid, Unauthenticated


class InvalidApiKey(Unauthenticated):
    """The API key is mistyped, unknown, expired or revoked."""

    code = "invalid_api_key"
    title = "Invalid API key"


class MissingScope(Denied):
    """The API key is good, but was made without the scope that this operation needs."""

    code = "missing_scope"
    title = "Missing scope"


class UnknownScope(Invalid):
    """A key can only be given scopes that exist."""

    code = "unknown_scope"
    title = "Unknown scope"
