"""Registered operations and clients as JSON."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from commerce.operations.entities import Mode, OperationKind
from internal_api.parameters import Text


class Registration(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    client: str = Field(examples=["web"])
    version: str = Field(examples=["1.4.0"])
    registered_at: datetime


class Operation(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    sha256: str = Field(description="Of its text; what clients send as `documentId`.")
    name: str | None = Field(examples=["ProductList"])
    kind: OperationKind
    registrations: list[Registration]
    registered_at: datetime = Field(description="The newest time.")
    uses: int = Field(description="By all clients, or the one that was asked about; some seconds late.")
    last_used_at: datetime | None


class OperationPage(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    items: list[Operation]
    page: int
    size: int
    total: int


class OperationQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    client: Annotated[Text | None, Field(description="What it has registered, and its uses alone.")] = None
    unused_days: Annotated[int | None, Field(ge=0, le=3650, description="Not used for so many days, or never.")] = None
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    size: Annotated[int, Field(ge=1, le=500)] = 100


class Client(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Its X-Client-Name, which is its own word; `*` is everybody else.", examples=["web"])
    mode: Mode = Field(description="Its own; no client is held to less than `*` is.")
    automatic: bool = Field(description="Whether what it sends with a hash is known by the hash for a while.")
    versions: list[str] = Field(description="Those that have registered operations.", examples=[["1.4.0"]])
    operations: int = Field(description="How many it has registered.")


class ClientList(BaseModel):
    items: list[Client]


class ClientUpdate(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode | None = None
    automatic: bool | None = Field(None, strict=True)
