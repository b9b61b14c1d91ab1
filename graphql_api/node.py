"""Relay's Node (relay.dev/graphql/objectidentification.htm). Ids are those of REST, as they are."""

import strawberry


@strawberry.interface(description="Whatever can be read again by its id alone.")
class Node:
    id: strawberry.ID = strawberry.field(description="The same id as on REST.")
