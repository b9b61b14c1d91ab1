"""The catalogue for endpoints: a repository to read with, a service to write with."""

from typing import Annotated

from fastapi import Depends, Header

from commerce.catalog.repository import ProductRepository
from commerce.catalog.service import CatalogService
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from public_api.auth import PrincipalDep


async def get_products(session: ReadSessionDep) -> ProductRepository:
    return ProductRepository(session)


async def get_catalog(session: WriteSessionDep, resources: ResourcesDep, principal: PrincipalDep) -> CatalogService:
    return CatalogService(session, resources.clock, actor=principal.name)


ProductsDep = Annotated[ProductRepository, Depends(get_products, scope="function")]
CatalogDep = Annotated[CatalogService, Depends(get_catalog, scope="function")]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="ETag of your copy: 304 if it is current.")
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag that you read: 412 if it has changed since.")
]
