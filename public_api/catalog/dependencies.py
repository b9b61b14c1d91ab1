"""The catalogue for endpoints: a repository to read with, a service to write with, and commands done once."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from commerce.accounts.principal import Principal
from commerce.catalog.commands import CreateProduct, UpdateProduct
from commerce.catalog.entities import PRODUCT, Product
from commerce.catalog.reading import CatalogReader
from commerce.catalog.service import CatalogService
from commerce.catalog.writing import changing, creation
from commerce.semantics.index import SemanticIndex
from commerce.semantics.likes import LikeInMeaning
from commerce.semantics.search import SemanticSearch
from core.web.dependencies import ResourcesDep, WriteSessionDep
from public_api.auth import CatalogWriter, PrincipalDep
from public_api.once import Once, OnceDep


async def get_reader(resources: ResourcesDep) -> CatalogReader:
    return CatalogReader(resources.database, resources.cache)


ReaderDep = Annotated[CatalogReader, Depends(get_reader)]


async def get_search(connection: HTTPConnection, reader: ReaderDep) -> SemanticSearch:
    """The index is the process's."""
    index: SemanticIndex = connection.state.semantics
    return SemanticSearch(reader, index)


async def get_similar(connection: HTTPConnection) -> LikeInMeaning:
    index: SemanticIndex = connection.state.semantics
    return LikeInMeaning(index)


async def get_catalog(session: WriteSessionDep, resources: ResourcesDep, principal: PrincipalDep) -> CatalogService:
    return CatalogService(session, resources.clock, actor=principal.name)


@dataclass(frozen=True, slots=True)
class CatalogDesk:
    """Per request. Does a command in a transaction of its own, once for each Idempotency-Key."""

    once: Once
    principal: Principal

    async def create(self, command: CreateProduct) -> Product:
        action = creation(command, self.once.resources, actor=self.principal.name)
        return await self.once.run(command, action, PRODUCT)

    async def update(self, command: UpdateProduct) -> Product:
        action = changing(command, self.once.resources, actor=self.principal.name)
        return await self.once.run(command, action, PRODUCT)


async def get_desk(principal: CatalogWriter, once: OnceDep) -> CatalogDesk:
    return CatalogDesk(once, principal)


SearchDep = Annotated[SemanticSearch, Depends(get_search)]
SimilarDep = Annotated[LikeInMeaning, Depends(get_similar)]
CatalogDep = Annotated[CatalogService, Depends(get_catalog, scope="function")]
DeskDep = Annotated[CatalogDesk, Depends(get_desk)]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="ETag of your copy: 304 if it is current.")
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag that you read: 412 if it has changed since.")
]
