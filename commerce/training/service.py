"""Which version of a model answers, as operators say. Callers own the transaction; nothing here commits."""

from typing import Literal

from commerce.audit.log import AuditLog
from core.clock import Clock
from core.database import WriteSession
from core.errors import Conflict
from core.inference.artifacts import VersionRepository, assign

Assigned = Literal["current", "shadow"]


class ModelInUse(Conflict):
    """The version that answers cannot be its own shadow. Make another one current first."""

    code = "model_in_use"
    title = "The model is in use"


class ModelService:
    """Per transaction."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str) -> None:
        self._session = session
        self._audit = AuditLog(session, clock, actor)

    async def use(self, model: str, version: str, role: Assigned, *, reason: str) -> None:
        """Instead of the one that has the role. Raises ModelVersionNotFound, ModelInUse."""
        answering = await VersionRepository(self._session).current(model)
        if role == "shadow" and version == answering:
            raise ModelInUse(f"{version[:100]!r} is the version that answers")
        before = await assign(self._session, model, version, role)
        await self._record(model, role, before, version, reason)

    async def end_shadow(self, model: str, *, reason: str) -> bool:
        """False: there was none."""
        before = await assign(self._session, model, None, "shadow")
        if before is not None:
            await self._record(model, "shadow", before, None, reason)
        return before is not None

    async def _record(self, model: str, role: Assigned, before: str | None, after: str | None, reason: str) -> None:
        await self._audit.record("model.use", model, {role: before}, {role: after, "reason": reason})
