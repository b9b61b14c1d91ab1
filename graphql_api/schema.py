"""The schema, built once an application: what each feature adds, and how every operation runs."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, StreamExecutionResult

from commerce.accounts.principal import Principal
from graphql_api import limits, persisted
from graphql_api.accounts.mutations import AccountMutation
from graphql_api.accounts.queries import AccountQuery
from graphql_api.admission import admit, note_deprecated
from graphql_api.assistant.subscriptions import AssistantSubscription
from graphql_api.catalog.mutations import CatalogMutation
from graphql_api.catalog.queries import CatalogQuery
from graphql_api.catalog.subscriptions import CatalogSubscription
from graphql_api.catalog.types import Product
from graphql_api.context import Context
from graphql_api.errors import cost_told, present
from graphql_api.executing import SlicedExecution, is_small
from graphql_api.nodes import NodeQuery
from graphql_api.once import REPLAYED
from graphql_api.orders.mutations import OrderMutation
from graphql_api.orders.queries import OrderQuery
from graphql_api.orders.subscriptions import OrderSubscription
from graphql_api.recommendations.queries import RecommendationQuery
from graphql_api.scalars import DATE_TIME, LONG, Long
from graphql_api.support.mutations import SupportMutation
from graphql_api.support.subscriptions import SupportSubscription


@strawberry.type(description="Everything that can be read.")
class Query(CatalogQuery, RecommendationQuery, AccountQuery, OrderQuery, NodeQuery):
    pass


@strawberry.type(
    description="Everything that can be done. The fields of one operation run one after another, each in a "
    "transaction of its own. A refusal is a typed member of the result and has changed nothing. A field that was done "
    f"before, under the same idempotency key, is named in the answer's `extensions.{REPLAYED}`; over plain HTTP the "
    "answer also has the header `Idempotency-Replayed: true`."
)
class Mutation(AccountMutation, OrderMutation, CatalogMutation, SupportMutation):
    pass


@strawberry.type(
    description="What happens, as it happens: over WebSocket (`graphql-transport-ws`) or server-sent events (GraphQL "
    "over SSE, distinct connections). A stream that was cut goes on where it was, with `after`."
)
class Subscription(CatalogSubscription, OrderSubscription, SupportSubscription, AssistantSubscription):
    pass


class Operation(SchemaExtension):
    """Per operation: loaders of its own, and parsing and validation from the caches of `limits`."""

    def on_operation(self) -> Iterator[None]:
        """In the end what was loaded is freed at once, and does not wait for the garbage collector as the executor's
        objects do, which refer to each other.
        """
        context = self.execution_context
        caller: Context = context.context.for_operation()
        context.context = caller
        if caller.operation is None:
            name = context._provided_operation_name  # noqa: SLF001
            caller.operation = persisted.asked(context.query or "", name, caller)
        context.parse_options["max_tokens"] = limits.MAX_TOKENS
        context.parse_options["max_source_length"] = limits.MAX_CHARACTERS  # type: ignore[typeddict-unknown-key]
        self._points: int | None = None  # None: nothing is told of its cost
        yield
        caller.forget()

    def on_parse(self) -> None:  # type: ignore[override]
        """A syntax error is left to Strawberry, which finds it again: an error raised here would end the stream of a
        WebSocket without an answer.
        """
        context = self.execution_context
        if context.query:
            try:
                context.graphql_document = limits.parsed(context.query)
            except GraphQLError:
                return

    async def on_validate(self) -> None:  # type: ignore[override]
        context = self.execution_context
        caller: Context = context.context
        admission = caller.admission
        if admission is None:
            schema: Schema = context.schema  # type: ignore[assignment]
            name, variables = context._provided_operation_name, context.variables or {}  # noqa: SLF001
            admission = await admit(schema, context.query or "", name, variables, caller)
        context.pre_execution_errors, self._points = admission.faults, admission.points

    def on_stream_result(self, result: StreamExecutionResult) -> None:  # type: ignore[override]  # noqa: ARG002
        """Of a subscription only the first result tells the cost."""
        self._points = None

    async def on_execute(self) -> AsyncIterator[None]:
        """What it asks for is executed inside; of a subscription, what begins it. Raises Overloaded."""
        context = self.execution_context
        schema: Schema = context.schema  # type: ignore[assignment]
        name, variables = context._provided_operation_name, context.variables or {}  # noqa: SLF001
        note_deprecated(schema, context.query or "", name, variables, context.context)
        turns = context.context.executing.turns
        small = is_small(self._points)
        await turns.enter(small)
        try:
            yield
        finally:
            turns.leave(small)

    def get_results(self) -> dict[str, Any]:
        """What was replayed is told here rather than in a header: a stream has sent its headers before."""
        caller: Context = self.execution_context.context
        results: dict[str, Any] = {REPLAYED: caller.replayed} if caller.replayed else {}
        if self._points is not None:
            results["cost"] = cost_told(self._points, caller.quota)
        return results


class Schema(strawberry.Schema):
    """In production, strangers cannot ask it what it has, nor guess with its help."""

    def __init__(self, *, production: bool, **options: Any) -> None:
        super().__init__(extensions=[Operation], execution_context_class=SlicedExecution, **options)
        self._production = production

    def all_rules(self) -> tuple[limits.Rules, ...]:
        """Those of every caller."""
        return (limits.RULES, limits.RULES_WITHOUT_INTROSPECTION) if self._production else (limits.RULES,)

    def rules_for(self, principal: Principal) -> limits.Rules:
        hidden = self._production and principal.kind == "anonymous"
        return limits.RULES_WITHOUT_INTROSPECTION if hidden else limits.RULES

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002
        """The one place that every error of every transport passes, before anything is sent. Changes the list in
        place: it is the result's.
        """
        errors[:] = [present(error, suggest=not self._production) for error in errors]


@cache
def build_schema(*, production: bool) -> Schema:
    """Made once: it is the same for every application, and takes long to make."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Product],
        production=production,
        config=StrawberryConfig(scalar_map={Long: LONG, datetime: DATE_TIME}),
    )
