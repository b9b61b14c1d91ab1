"""Every query over vectors and their state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update

from commerce.catalog.models import ProductRow
from commerce.semantics.models import ProductVectorRow, SemanticsStateRow
from core.bulk import insert_rows
from core.database import WriteSession, announce, table_of
from core.eventlog import EventLogStateRow, EventRow
from core.repository import Repository, parameter_chunks

TOPIC = "semantics"  # of the hub, when vectors changed
TYPES = ("product.created", "product.updated", "product.deleted")


@dataclass(frozen=True, slots=True)
class State:
    """As `SemanticsStateRow` has it."""

    model: str
    filling: str
    filled_to: str | None
    complete: bool
    position: int
    version: int
    job_id: str | None


_STATE = [getattr(SemanticsStateRow, field.name) for field in fields(State)]


class Kept(NamedTuple):
    source: str
    model: str


class StoredRow(NamedTuple):
    product_id: str
    vector: bytes
    scale: float


_STORED = (ProductVectorRow.product_id, ProductVectorRow.vector, ProductVectorRow.scale)


class SemanticsRepository(Repository):
    async def state(self) -> State:
        return State(*(await self._session.execute(select(*_STATE))).one())

    async def changed_products(self, position: int, limit: int) -> list[tuple[int, str]]:
        """The next changes of products in the log: positions and ids."""
        statement = select(EventRow.position, EventRow.subject).where(
            EventRow.position > position, EventRow.type.in_(TYPES)
        )
        rows = await self._session.execute(statement.order_by(EventRow.position).limit(limit))
        return [(row.position, row.subject) for row in rows]

    async def trimmed_to(self) -> int:
        """What is at this position of the log, and before, is no longer there."""
        return int(await self._session.scalar(select(EventLogStateRow.trimmed_to)))

    async def kept(self, ids: Sequence[str]) -> dict[str, Kept]:
        columns = select(ProductVectorRow.product_id, ProductVectorRow.source, ProductVectorRow.model)
        rows = await self._session.execute(columns.where(ProductVectorRow.product_id.in_(ids)))
        return {row.product_id: Kept(row.source, row.model) for row in rows}

    async def kept_between(self, after: str, until: str | None) -> dict[str, Kept]:
        """Of all ids after one, until another where there is one."""
        columns = select(ProductVectorRow.product_id, ProductVectorRow.source, ProductVectorRow.model)
        columns = columns.where(ProductVectorRow.product_id > after)
        if until is not None:
            columns = columns.where(ProductVectorRow.product_id <= until)
        return {row.product_id: Kept(row.source, row.model) for row in await self._session.execute(columns)}

    async def count_on_sale(self, until: str | None = None) -> int:
        """How many products are; of the ids up to one."""
        statement = select(func.count()).select_from(ProductRow).where(ProductRow.status == "active")
        return int(await self._session.scalar(statement if until is None else statement.where(ProductRow.id <= until)))

    async def stored_after(self, product_id: str, model: str, limit: int) -> list[StoredRow]:
        """The next vectors in the order of ids."""
        statement = select(*_STORED).where(ProductVectorRow.product_id > product_id, ProductVectorRow.model == model)
        rows = await self._session.execute(statement.order_by(ProductVectorRow.product_id).limit(limit))
        return [StoredRow(*row) for row in rows]

    async def stored_since(self, version: int, model: str, limit: int) -> list[StoredRow]:
        """Those that came with a later version."""
        statement = select(*_STORED).where(ProductVectorRow.changed > version, ProductVectorRow.model == model)
        rows = await self._session.execute(statement.order_by(ProductVectorRow.changed).limit(limit))
        return [StoredRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Changes:
    """`made`: rows of vectors, without the version. `gone`: products that are to have none."""

    made: Sequence[Mapping[str, Any]]
    gone: Collection[str]


async def save(session: WriteSession, changes: Changes, **state: Any) -> None:
    """Vectors, and values of the state, in the session's transaction. Wakes who searches."""
    if changes.made or changes.gone:
        state["version"] = SemanticsStateRow.version + 1
    # First: it holds back every other writer of vectors.
    version = await session.scalar(update(SemanticsStateRow).values(**state).returning(SemanticsStateRow.version))
    for some in parameter_chunks([*changes.gone, *(row["product_id"] for row in changes.made)]):
        await session.execute(delete(ProductVectorRow).where(ProductVectorRow.product_id.in_(some)))
    await insert_rows(session, table_of(ProductVectorRow), [{**row, "changed": version} for row in changes.made])
    announce(session, TOPIC)
