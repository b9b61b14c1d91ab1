"""The registry of operations: all staff may look, admins say what a client may send."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query

from commerce.operations.repository import OperationRepository
from commerce.operations.service import OperationService
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Admin
from internal_api.operations.schemas import Client, ClientList, ClientUpdate, OperationPage, OperationQuery
from internal_api.parameters import Text
from internal_api.routing import internal_router

router = internal_router()


async def get_operations(principal: Admin, session: WriteSessionDep, resources: ResourcesDep) -> OperationService:
    return OperationService(session, resources.clock, actor=principal.name)


OperationsDep = Annotated[OperationService, Depends(get_operations, scope="function")]


@router.get("/operations", summary="List registered operations")
async def list_operations(
    query: Annotated[OperationQuery, Query()], session: ReadSessionDep, resources: ResourcesDep
) -> OperationPage:
    """Those that were never used come first, then those whose last use is longest ago."""
    days = query.unused_days
    since = resources.clock.now() - timedelta(days=days) if days is not None else None
    found = await OperationRepository(session).listed(
        page=query.page, size=query.size, client=query.client, unused_since=since
    )
    return OperationPage.model_validate(found)


@router.get("/operations/clients", summary="List clients")
async def list_clients(session: ReadSessionDep) -> ClientList:
    found = await OperationRepository(session).registered_clients()
    return ClientList(items=[Client.model_validate(client) for client in found])


@router.patch("/operations/clients/{name:path}", summary="Say what a client may send")
async def update_client(name: Text, body: ClientUpdate, operations: OperationsDep, session: WriteSessionDep) -> Client:
    """A client that nobody knew is known from now on. This process obeys at once, others within seconds."""
    await operations.change(name, mode=body.mode, automatic=body.automatic)
    found = await OperationRepository(session).registered_clients()
    return Client.model_validate(next(client for client in found if client.name == name))
