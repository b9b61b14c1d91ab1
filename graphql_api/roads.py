"""The two roads of an operation over plain HTTP: the plan that was compiled of it, or Strawberry's executor."""

import structlog
from graphql import GraphQLError
from prometheus_client import Counter
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from commerce.operations.entities import sha256_of
from core.context import current_client
from graphql_api import persisted
from graphql_api.admission import admit, note_deprecated
from graphql_api.answers import Answer, Executed, Planned, Told
from graphql_api.context import Context
from graphql_api.errors import present
from graphql_api.plans.planner import Planner
from graphql_api.requests import Asking
from graphql_api.schema import Schema

log = structlog.get_logger("portico.graphql")
TAKEN = Counter(
    "portico_graphql_operations_total", "Operations over plain HTTP, by the road that they took.", ("road",)
)
_PLAN, _EXECUTOR = TAKEN.labels("plan"), TAKEN.labels("executor")


class Roads:
    """Per application. Without a planner there is one road."""

    def __init__(self, schema: Schema, planner: Planner | None) -> None:
        self._schema = schema
        self._planner = planner

    async def answer(self, text: str, asking: Asking, context: Context) -> Answer:
        planned = await self._try_plan(self._planner, text, asking, context) if self._planner is not None else None
        if planned is not None:
            _PLAN.inc()
            return planned
        _EXECUTOR.inc()
        result = await self._execute(text, asking, context)
        await context.executing.body()
        return Executed(result)

    async def _try_plan(self, planner: Planner, text: str, asking: Asking, context: Context) -> Planned | None:
        """None where the executor has to answer; for it stays admitted what was admitted here."""
        try:
            return await self._planned(planner, text, asking, context)
        except Exception:  # a mistake of ours, which the log tells and the other road makes good
            log.exception("plan_failed", sha256=sha256_of(text))
            return None

    async def _planned(self, planner: Planner, text: str, asking: Asking, context: Context) -> Planned | None:
        name, variables, database = asking.operation_name, asking.variables, context.resources.database
        plan = planner.plan(text, name, variables, context.principal, database.dialect)
        if plan is None:
            return None
        context.operation = persisted.asked(text, name, context)
        context.admission = admission = await admit(self._schema, text, name, variables, context)
        if admission.faults or admission.points is None:
            return None
        data = await plan.read(context.resources)
        if data is None:
            return None
        await context.executing.body(len(data))
        note_deprecated(self._schema, text, name, variables, context)
        told = Told(admission.points)
        return Planned(
            data, told, context.quota, is_everybodys=plan.is_of_catalogue and await _is_common(asking, context)
        )

    async def _execute(self, text: str, asking: Asking, context: Context) -> ExecutionResult:
        """An operation that cannot be found in the document, or needs a stream, is a fault of the document, not of the
        HTTP request.
        """
        try:
            return await self._schema.execute(
                text,
                variable_values=asking.variables,
                context_value=context,
                operation_name=asking.operation_name,
                allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
            )
        except CannotGetOperationTypeError as error:
            reason = error.as_http_error_reason()
        except InvalidOperationTypeError:
            reason = "subscriptions need a stream: WebSocket, or Accept: text/event-stream"
        return PreExecutionError(data=None, errors=[present(GraphQLError(reason), suggest=False)])


async def _is_common(asking: Asking, context: Context) -> bool:
    """Whether nothing has to be done for the next who asks the same: no hash is to be remembered, nor an operation
    reported that its client has not registered.
    """
    if context.principal.kind != "anonymous" or (asking.query and asking.named):
        return False
    if context.operation is not None and context.operation.registered:
        return True
    return (await context.registry.policy(current_client().name)).mode == "off"
