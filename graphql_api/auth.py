"""What a resolver asks of its caller: the scopes of REST, refused with its codes."""

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal, Scope
from core.errors import Unauthenticated
from graphql_api.context import Info


def require_scope(info: Info, scope: Scope) -> Principal:
    """Raises Unauthenticated and MissingScope."""
    principal = info.context.principal
    if principal.kind == "anonymous":
        raise Unauthenticated
    if not principal.may(scope):
        raise MissingScope(f"this field needs the scope {scope}")
    return principal
