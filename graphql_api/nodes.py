"""What has an id, whatever it is."""

import asyncio
from typing import Annotated

import strawberry

from core.errors import Invalid
from graphql_api.catalog.queries import load_product, load_variant
from graphql_api.context import Info
from graphql_api.cost_directives import sliced
from graphql_api.fields import field
from graphql_api.node import Node
from graphql_api.orders.queries import load_order

MOST_NODES = 100


@strawberry.type
class NodeQuery:
    @field("Whatever has this id; null: nothing has, or nothing that you may see.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The same id as on REST.")],  # noqa: A002
    ) -> Node | None:
        return await _find(info, id)

    @field("As `node`, for many: in the order of the ids, null where there is none.", sliced("ids"))
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description=f"At most {MOST_NODES}.")],
    ) -> list[Node | None]:
        if len(ids) > MOST_NODES:
            raise Invalid(f"{len(ids)} ids; at most {MOST_NODES} are taken")
        return await asyncio.gather(*(_find(info, node_id) for node_id in ids))


async def _find(info: Info, node_id: str) -> Node | None:
    """By the prefix that ids of its kind have."""
    if node_id.startswith("ord_"):
        return await load_order(info, node_id) if info.context.principal.may("orders:read") else None
    if node_id.startswith("var_"):
        return await load_variant(info, node_id)
    return await load_product(info, node_id)
