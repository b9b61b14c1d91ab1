"""Who sees what, written by hand: the shop's products and orders by name, everybody who may ask, and what each sees.

`vault-...` are four products alike, one of each fate, in a category, of a vendor and with a tag of their own.
"""

from dataclasses import dataclass

VAULT = {"vault-active": "active", "vault-draft": "draft", "vault-archived": "archived", "vault-deleted": "active"}
ON_SALE = frozenset({"anorak", "boots", "cap", "cap-2", "storm-coat", "mug", "free", "vault-active"})
HIDDEN = frozenset({"draft", "archived", "vault-draft", "vault-archived"})
ALL = ON_SALE | HIDDEN
DELETED = frozenset({"vault-deleted"})
CATEGORIES = "rain-jackets shoes hats vault"
ADAS = frozenset({"placed", "paid", "shipped", "cancelled"})
BOBS = frozenset({"bobs"})
GUESTS = frozenset({"guests"})  # with Ada's address, but without her account
ORDERS = ADAS | BOBS | GUESTS


@dataclass(frozen=True, slots=True)
class Sees:
    """Names, or the status that is answered instead."""

    products: frozenset[str] | int
    orders: frozenset[str] | int


_REFUSED = Sees(401, 401)
CALLERS: dict[str, Sees] = {
    "anonymous": Sees(ON_SALE, 401),
    "ada": Sees(ON_SALE, ADAS),
    "bob": Sees(ON_SALE, BOBS),
    "support": Sees(ON_SALE, ORDERS),
    "editor": Sees(ALL, ORDERS),
    "admin": Sees(ALL, ORDERS),
    "shop key": Sees(ALL, ORDERS),
    "catalog:read": Sees(ON_SALE, 403),
    "catalog:write": Sees(ALL, 403),
    "orders:read": Sees(ON_SALE, ORDERS),
    "orders:write": Sees(ON_SALE, 403),
    "events:read": Sees(ON_SALE, 403),
    "webhooks:write": Sees(ON_SALE, 403),
    "reports:read": Sees(ON_SALE, 403),
    "support:write": Sees(ON_SALE, 403),
    "ada's key": Sees(ON_SALE, ADAS),
    "ada's key without orders": Sees(ON_SALE, 403),
    "bob's key": Sees(ON_SALE, BOBS),
    "support's key": Sees(ON_SALE, ORDERS),
    "editor's key": Sees(ALL, 403),
    "editor's reading key": Sees(ON_SALE, ORDERS),
    "another scheme": Sees(ON_SALE, 401),  # no credentials of ours
    "nonsense": _REFUSED,
    "expired token": _REFUSED,
    "token of the internal door": _REFUSED,
    "signed out": _REFUSED,
    "gone": _REFUSED,  # was disabled
    "key of who is gone": _REFUSED,
    "expired key": _REFUSED,
    "revoked key": _REFUSED,
}
# One of each sight: who sees alike has the same statements, and SQLite is asked by all.
ON_POSTGRESQL = ("anonymous", "ada", "bob", "support", "editor", "catalog:write", "orders:read", "ada's key", "gone")
_VAULT = "vault-active vault-draft vault-archived"
_EVERY = " ".join(sorted(ALL))
_ORDERS = " ".join(sorted(ORDERS))
_VARIANTS = "vault-active/variant vault-draft/variant vault-archived/variant draft/variant mug/variant"


@dataclass(frozen=True, slots=True)
class Read:
    """`asks` is a path or a field of GraphQL's Query. `shows`: what it would show to somebody who sees everything.

    With `{name}` it is asked once for each of these and of what was deleted, by its id; with `{handle}` and `{old}` by
    the present and the past name. Lists are read page by page, `{after}` being the cursor.
    """

    operation: str
    asks: str
    shows: str
    of: str = "products"
    nodes: str = "nodes { id }"


def _numbered(filters: str, shows: str = _VAULT) -> Read:
    return Read("GET /public/v1/products", f"/public/v1/products?{filters}&page={{page}}", shows)


def _sliced(filters: str, shows: str = _VAULT) -> Read:
    return Read("GET /public/v2/products", f"/public/v2/products?{filters}&count=true{{after}}", shows)


def _connected(arguments: str, shows: str = _VAULT, nodes: str = "nodes { id }") -> Read:
    return Read("query products", f"products({arguments}{{after}})", shows, nodes=nodes)


def _node(names: str, below: str = "") -> Read:
    return Read("query node", f'node(id: "{{name}}") {{ id{below} }}', names, "nodes")


_ONE = "/public/v1/products/"
READS: list[Read] = [
    _numbered("size=3", _EVERY),
    *(
        _numbered(f"size=100&{narrowed}")
        for narrowed in (
            "category=Vault",
            "category=vault&sort=price",
            "tag=vault",
            "vendor=Vault",
            "q=vault",
            "min_price=777&max_price=777",
        )
    ),
    _sliced("limit=3", _EVERY),
    *(_sliced(f"limit=3&sort={sort}", _EVERY) for sort in ("title", "-price", "-updated_at")),
    *(
        _sliced(f"limit=2&{narrowed}")
        for narrowed in (
            "category=Vault",
            "category=vault&sort=price",
            "tag=vault",
            "tag=vault&sort=title",
            "vendor=Vault",
            "vendor=Vault&sort=price",
            "q=vault",
            "min_price=777&max_price=777&sort=price",
            "in_stock=true&vendor=Vault",
            "category=Vault&tag=vault&vendor=Vault&q=vault",
        )
    ),
    *(
        Read("GET /public/v1/products/{id_or_handle}", _ONE + named, _EVERY if named != "{old}" else _VAULT)
        for named in ("{name}", "{handle}", "{old}")
    ),
    Read("GET /public/v1/categories", "/public/v1/categories", CATEGORIES, "categories"),
    *(
        Read("GET /public/v1/orders", f"/public/v1/orders?{narrowed}&page={{page}}", shows, "orders")
        for narrowed, shows in (
            ("size=2", _ORDERS),
            ("size=100&email=ada@example.com", "placed paid cancelled guests"),
            ("size=100&state=placed", "placed bobs guests"),
            ("size=100&email=bob@example.com&state=placed", "bobs"),
        )
    ),
    Read("GET /public/v1/orders/{order_id}", "/public/v1/orders/{name}", _ORDERS, "orders"),
    Read("query product", 'product(id: "{name}") { id }', _EVERY),
    Read("query product", 'product(handle: "{handle}") { id }', _EVERY),
    Read("query product", 'product(handle: "{old}") { id }', _VAULT),
    _connected("first: 3", _EVERY),
    _connected("first: 3", _EVERY, "edges { node { id } }"),
    _connected("first: 3, sort: PRICE_DESC", _EVERY),
    *(
        _connected(f"first: 2, filter: {{{narrowed}}}")
        for narrowed in (
            'category: "Vault"',
            'tag: "vault"',
            'vendor: "Vault"',
            'q: "vault"',
            "minPrice: 777, maxPrice: 777",
            'inStock: true, vendor: "Vault"',
        )
    ),
    Read("query search", 'search(query: "vault", first: 2{after})', _VAULT),
    Read("query categories", "categories { id }", CATEGORIES, "categories"),
    Read("query order", 'order(id: "{name}") { id }', _ORDERS, "orders"),
    Read("query orders", "orders(first: 2{after})", _ORDERS, "orders"),
    Read("query orders", "orders(first: 2{after})", _ORDERS, "orders", "edges { node { id } }"),
    Read("query orders", "orders(first: 9, filter: {state: placed}{after})", "placed bobs guests", "orders"),
    _node(_EVERY),
    _node(_VARIANTS, " ... on Variant { product { id } }"),
    _node(_ORDERS),
    Read("query nodes", "nodes(ids: [{names}]) { id }", f"{_EVERY} {_VARIANTS} {_ORDERS}", "nodes"),
]
# Reads that the database writes no JSON for. What they show has tests of its own.
OTHERS = {
    "GET /public/v1/openapi.json",
    "GET /public/v2/openapi.json",
    "GET /public/v1/products/export",
    "GET /public/v1/products/{id_or_handle}/recommendations",
    "GET /public/v1/products/{id_or_handle}/forecast",
    "GET /public/v1/orders/export",
    "GET /public/v1/images/{image_id}",
    "GET /public/v1/search/semantic",  # what is on sale, to everybody
    "GET /public/v1/me",
    "GET /public/v1/api-keys",
    "GET /public/v1/jobs/{job_id}",
    "GET /public/v1/jobs/{job_id}/errors",
    "GET /public/v1/reports/{report_id}/download",
    "GET /public/v1/events",
    "GET /public/v1/events/stream",
    "GET /public/v1/webhook-endpoints",
    "GET /public/v1/webhook-endpoints/{endpoint_id}",
    "GET /public/v1/webhook-endpoints/{endpoint_id}/deliveries",
    "GET /public/v1/support/rooms",
    "GET /public/v1/support/rooms/{room}/messages",
    "GET /public/v1/assistant/runs/{run_id}/events",
    "query me",
    "query recommendations",
}
# Where a product, a variant or an order hangs on something else: asked for above, each of them.
WAYS = {
    "Query.product",
    "Query.node",
    "Query.nodes",
    "Query.order",
    "Product.variants",
    "Variant.product",
    "Recommendation.product",
    "ProductConnection.nodes",
    "ProductEdge.node",
    "OrderConnection.nodes",
    "OrderEdge.node",
}
