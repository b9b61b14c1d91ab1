"""What fields cost, told in the schema by the directives of the GraphQL Cost Directives specification
(ibm.github.io/graphql-specs/cost-spec.html). `graphql_api.cost` counts by them.
"""

import strawberry
from strawberry.schema_directive import Location

from core.budget import WRITE_POINTS
from graphql_api.pagination import DEFAULT_SIZE


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cost",
    description="What the field costs, in points, each time that it is resolved. Without it, 1 where it is an object, "
    "and nothing where it is a scalar.",
)
class Cost:
    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How many items a list is counted as: what the slicing argument says, else the assumed size. With "
    "`sizedFields`, those fields of the result are the lists.",
)
class ListSize:
    assumed_size: int | None = strawberry.directive_field(name="assumedSize", default=strawberry.UNSET)
    slicing_arguments: list[str] | None = strawberry.directive_field(name="slicingArguments", default=strawberry.UNSET)
    sized_fields: list[str] | None = strawberry.directive_field(name="sizedFields", default=strawberry.UNSET)
    require_one_slicing_argument: bool | None = strawberry.directive_field(
        name="requireOneSlicingArgument", default=True
    )


def sized(assumed: int) -> ListSize:
    """Of a list that has no argument for its size."""
    return ListSize(assumed_size=assumed, require_one_slicing_argument=False)


def sliced(argument: str, assumed: int = DEFAULT_SIZE) -> ListSize:
    """Of a list with as many items as the argument says, a number or a list; `assumed` where it is left out."""
    return ListSize(assumed_size=assumed, slicing_arguments=[argument], require_one_slicing_argument=False)


CONNECTION = ListSize(
    assumed_size=DEFAULT_SIZE,
    slicing_arguments=["first"],
    sized_fields=["nodes", "edges"],
    require_one_slicing_argument=False,
)
WRITE = Cost(weight=str(WRITE_POINTS))  # every field of Mutation has it
COUNT = Cost(weight="20")  # reads all that fit
SEARCH = Cost(weight="5")  # ranks all that fit
