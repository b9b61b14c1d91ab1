"""The document of the WebSockets is AsyncAPI 3, and names every frame."""

import json
from pathlib import Path
from typing import Any, get_args

import httpx2
import jsonschema_rs
import pytest

from core.settings import ServerSettings, Settings
from public_api.realtime.asyncapi import asyncapi_document, type_of
from public_api.realtime.frames import CLIENT_FRAMES, SERVER_FRAMES, ClientFrame, ServerFrame
from tests.conftest import needs

_CLIENTS = Path(__file__).parents[2] / "clients" / "node_modules"


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Validator:
    """By AsyncAPI itself."""
    needs("node", _CLIENTS / ".bin", "`npm ci` in tests/clients installs it, and AsyncAPI's schema")
    schema = (_CLIENTS / "@asyncapi" / "specs" / "schemas" / "3.0.0.json").read_text()
    return jsonschema_rs.validator_for(json.loads(schema))


@pytest.fixture
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(asyncapi_document(Settings())))
    return made


def test_document_is_asyncapi(official: jsonschema_rs.Validator, document: dict[str, Any]) -> None:
    assert [error.message for error in official.iter_errors(document)] == []


def test_faulty_document_is_not(official: jsonschema_rs.Validator, document: dict[str, Any]) -> None:
    document["operations"]["hear"]["action"] = "shout"

    assert not official.is_valid(document)


@pytest.mark.parametrize(
    ("public_url", "server"),
    [
        ("https://api.example", {"host": "api.example", "protocol": "wss"}),
        ("http://api.example:8123/shop/", {"host": "api.example:8123", "protocol": "ws", "pathname": "/shop"}),
    ],
)
def test_document_names_the_public_address(
    official: jsonschema_rs.Validator, public_url: str, server: dict[str, str]
) -> None:
    document = asyncapi_document(Settings(server=ServerSettings.model_validate({"public_url": public_url})))

    named = document["servers"]["gateway"]
    assert named.pop("security")
    assert named == server
    assert official.is_valid(json.loads(json.dumps(document)))


async def test_served_document_names_the_address_that_was_asked(
    official: jsonschema_rs.Validator, client: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    response = await client.get("/public/asyncapi.json")
    served = response.json()

    assert response.status_code == 200
    assert official.is_valid(served)
    servers = served.pop("servers")
    assert (servers["gateway"]["host"], servers["gateway"]["protocol"]) == ("portico.test", "ws")
    assert served == document


async def test_docs_lead_to_it(client: httpx2.AsyncClient) -> None:
    assert 'href="/public/asyncapi.json"' in (await client.get("/public/docs")).text


def test_every_frame_is_in_the_registry_and_in_the_document(document: dict[str, Any]) -> None:
    assert set(get_args(get_args(ClientFrame)[0])) == set(CLIENT_FRAMES)
    assert set(get_args(get_args(ServerFrame)[0])) == set(SERVER_FRAMES)
    assert {type_of(frame) for frame in CLIENT_FRAMES} == {"subscribe", "unsubscribe", "ping", "pong", "echo", "send"}
    assert {type_of(frame) for frame in SERVER_FRAMES} == {
        *("welcome", "subscribed", "event", "message", "presence"),
        *("ping", "pong", "echo", "error", "reset", "reconnect"),
    }
    assert document["components"]["messages"].keys() == {type_of(each) for each in (*CLIENT_FRAMES, *SERVER_FRAMES)}


def test_committed_document_is_this_one(document: dict[str, Any]) -> None:
    committed = Path(__file__).parents[3] / "docs" / "contracts" / "asyncapi.json"

    assert json.loads(committed.read_text()) == document
