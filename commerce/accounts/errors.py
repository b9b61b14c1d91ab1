"""What accounts refuse."""

from core.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """The address and the password are not those of an account that may sign in here."""

    code = "invalid_credentials"
    title = "Invalid credentials"


class TokenExpired(Unauthenticated):
    """The access token has ended. Get a new one with the refresh token, or sign in again."""

    code = "token_expired"
    title = "Token expired"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, expired, revoked, or was used before. One that comes twice ends its sign-in."""

    code = "invalid_refresh_token"
    title = "Invalid refresh token"


class InvalidApiKey(Unauthenticated):
    """The API key is mistyped, unknown, expired or revoked, or its owner may not sign in any more."""

    code = "invalid_api_key"
    title = "Invalid API key"


class MissingScope(Denied):
    """Your credentials are good, but do not have the scope that this operation needs."""

    code = "missing_scope"
    title = "Missing scope"


class MissingRole(Denied):
    """This operation is for people with a role that you do not have. API keys have no role."""

    code = "missing_role"
    title = "Missing role"


class UserRequired(Denied):
    """This operation is for a person who has signed in: an API key does not open it."""

    code = "user_required"
    title = "Signing in required"


class ScopeNotAllowed(Denied):
    """A key can only be given scopes that the role of its owner has."""

    code = "scope_not_allowed"
    title = "Scope not allowed"


class UnknownScope(Invalid):
    """A key can only be given scopes that exist."""

    code = "unknown_scope"
    title = "Unknown scope"


class InvalidAccount(Invalid):
    """The address, the password or the name is not one that an account can have."""

    code = "invalid_account"
    title = "Invalid account"


class EmailTaken(Conflict):
    """There is an account with this address. Sign in, or register another address."""

    code = "email_taken"
    title = "Address taken"


class InvalidTicket(Unauthenticated):
    """The ticket is unknown, used, expired or for another stream, or who asked for it may not come in any more."""

    code = "invalid_ticket"
    title = "Invalid ticket"


class CredentialRevoked(Unauthenticated):
    """While the stream was open, or the assistant answered, your sign-in or key was revoked, its rights changed, or its
    ticket opened another stream. With credentials that are good now you can begin anew.
    """

    code = "credential_revoked"
    title = "Credential revoked"


class UserNotFound(NotFound):
    """There is no account with this id."""

    code = "user_not_found"
    title = "User not found"


class ApiKeyNotFound(NotFound):
    """There is no such API key, or it is somebody else's, or it was revoked."""

    code = "api_key_not_found"
    title = "API key not found"


class ApiKeyExpired(Conflict):
    """A key that has expired cannot be rotated. Make a new one."""

    code = "api_key_expired"
    title = "API key expired"


class LastAdmin(Conflict):
    """Somebody must be able to administer the shop: make another admin first."""

    code = "last_admin"
    title = "Last admin"
