"""The model server among the resources of a process."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import AnyHttpUrl, SecretStr

from core.inference.chat import Began, ModelMalformed
from core.resources import open_chat, open_resources
from core.settings import AssistantSettings, ServerSettings, Settings, ShopSettings
from tests.core.inference.conftest import KEY, ask
from tests.factories.carriers import a_carrier
from tests.factories.model_servers import MODEL, a_model_server

ROOT = Path(__file__).parents[3]
# Loads the application, then the client as a question does; prints what else the loop's own thread loaded of it.
LAZY = """
import asyncio, builtins, sys, threading
import gateway.main
assert not any(name.split(".")[0] == "openai" for name in sys.modules), "loaded with the application"
from core.inference.chat import UserMessage
from core.inference.openai import OpenAIChat, Server
from core.upstream.client import open_http
from tests.factories.model_servers import a_model_server
assert "openai" not in sys.modules, "loaded with its module"
load, loop_thread, loaded = builtins.__import__, threading.get_ident(), []

def noted(name, *more, **named):
    before = set(sys.modules)
    module = load(name, *more, **named)
    if threading.get_ident() == loop_thread:
        loaded.extend(each for each in set(sys.modules) - before if each.split(".")[0] == "openai")
    return module

async def main():
    async with a_model_server() as server, open_http(allow_private=True) as http:
        model = OpenAIChat(Server(server.url), http)
        builtins.__import__ = noted
        deadline = asyncio.get_running_loop().time() + 60
        print(len([piece async for piece in model.stream([UserMessage("Hi")], (), deadline=deadline)]))
        builtins.__import__ = load

asyncio.run(main())
assert "openai" in sys.modules
print(sorted(set(loaded)))
"""


def settings_of(url: str, environment: Literal["development", "production"] = "development") -> Settings:
    return Settings(
        server=ServerSettings(environment=environment),
        assistant=AssistantSettings(llm_base_url=AnyHttpUrl(url), llm_api_key=SecretStr(KEY), llm_model=MODEL),
    )


async def test_without_an_address_there_is_no_model(settings: Settings) -> None:
    async with open_resources(settings) as resources:
        assert resources.chat is None


async def test_server_of_the_settings_is_asked_with_its_key_wherever_it_is() -> None:
    async with a_model_server() as server, open_chat(settings_of(server.url, "production")) as chat:
        assert chat is not None
        began = (await ask(chat))[0]

    assert isinstance(began, Began)
    assert began.provenance.model == MODEL
    assert server.asked[0][0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(chat)


async def test_in_production_no_other_private_host_is_reached() -> None:
    settings = settings_of("http://127.0.0.1:9/v1", "production")

    async with open_chat(settings) as chat:
        assert chat is not None
        transport = chat._http._transport
        network = transport._pool._network_backend  # type: ignore[attr-defined]

    assert network._private_hosts == {"127.0.0.1"}
    assert not chat._http.follow_redirects


async def test_model_is_reached_through_the_proxy_of_upstreams() -> None:
    async with a_carrier() as proxy:
        settings = settings_of("http://model.invalid/v1").model_copy(
            update={"shop": ShopSettings(upstream_proxy=AnyHttpUrl(f"http://127.0.0.1:{proxy.port}"))}
        )
        async with open_chat(settings) as chat:
            assert chat is not None
            with pytest.raises(ModelMalformed):
                await ask(chat)

    assert proxy.asked[0][0]["host"] == "model.invalid"


async def test_server_that_is_away_does_not_keep_the_gateway_from_being_ready(settings: Settings) -> None:
    assistant = settings_of("http://127.0.0.1:1/v1").assistant

    async with open_resources(settings.model_copy(update={"assistant": assistant})) as resources:
        assert resources.chat is not None


def test_client_is_loaded_by_the_first_question_off_the_loop() -> None:
    run = subprocess.run([sys.executable, "-c", LAZY], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.stdout.splitlines() == ["4", "[]"], run.stderr
