"""What staff see of the settings: every one, and of secrets that they are there. No error gives one away either."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from core.resources import Resources
from core.settings import (
    AssistantSettings,
    DataSettings,
    MailSettings,
    ServerSettings,
    Settings,
    ShopSettings,
    with_embedded_secrets,
)
from core.web.dependencies import ResourcesDep
from tests.fixtures.application import LogEntries
from tests.fixtures.probes import applications

SECRETS = [f"hunter2-{number:02}-is-secret" for number in range(12)]
CONFIG = "/internal/config"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Something secret in every place that takes a secret."""
    return with_embedded_secrets(
        Settings(
            server=ServerSettings(
                secret_key=SecretStr(SECRETS[0]),
                metrics_token=SecretStr(SECRETS[1]),
                otlp_endpoint=f"https://user:{SECRETS[2]}@traces.example/",
            ),
            data=DataSettings(
                data_dir=tmp_path / "var",
                database_replica_url=f"postgresql+asyncpg://shop:{SECRETS[3]}@replica.example/portico",
                redis_url=f"redis://:{SECRETS[4]}@cache.example:6379/0",
                objects_url=f"s3://id:{SECRETS[5]}@bucket",
            ),
            shop=ShopSettings(
                carriers=[
                    {
                        "name": "Fast",
                        "url": f"https://api.fast.example/?token={SECRETS[6]}",
                        "headers": {"Authorization": f"Bearer {SECRETS[7]}", "X-Account": SECRETS[8]},
                        "timeout_seconds": 2,
                    }
                ]
            ),
            mail=MailSettings(smtp_url=SecretStr(f"smtp://shop:{SECRETS[9]}@mail.example")),
            assistant=AssistantSettings(
                llm_api_key=SecretStr(SECRETS[10]),
                llm_base_url=f"https://{SECRETS[11]}@llm.example/v1",
            ),
        )
    )


@pytest.fixture
async def client(client: httpx2.AsyncClient, support: dict[str, str]) -> httpx2.AsyncClient:
    client.headers.update(support)
    return client


async def shown(client: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    return {setting["name"]: setting for setting in (await client.get(CONFIG)).json()["items"]}


async def test_every_setting_is_shown_with_what_it_is_for(client: httpx2.AsyncClient) -> None:
    settings = await shown(client)

    fields = [name for group in Settings.model_fields.values() for name in group.annotation.model_fields]  # type: ignore[union-attr]
    assert list(settings) == [f"PORTICO_{name.upper()}" for name in fields]
    assert all(setting["description"] for setting in settings.values())
    assert settings["PORTICO_CURRENCY"] == {
        "name": "PORTICO_CURRENCY",
        "value": "USD",
        "default": True,
        "description": "Of prices that name none (ISO 4217).",
    }


async def test_secrets_are_masked_and_the_rest_is_not(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    settings = await shown(client)

    set_by_us = {name.removeprefix("PORTICO_"): each["value"] for name, each in settings.items() if not each["default"]}
    assert set_by_us == {
        "SECRET_KEY": "***",
        "METRICS_TOKEN": "***",
        "OTLP_ENDPOINT": "https://***@traces.example/",
        "DATA_DIR": str(tmp_path / "var"),
        "DATABASE_REPLICA_URL": "postgresql+asyncpg://shop:***@replica.example/portico",
        "REDIS_URL": "redis://***@cache.example:6379/0",
        "OBJECTS_URL": "s3://id:***@bucket",
        "CARRIERS": [
            {
                "name": "Fast",
                "url": "https://api.fast.example/?token=***",
                "timeout_seconds": 2.0,
                "headers": "***",
                "max_price": 1_000_000,
                "own_network": False,
            }
        ],
        "SMTP_URL": "***",
        "LLM_API_KEY": "***",
        "LLM_BASE_URL": "https://***@llm.example/v1",
    }


async def test_no_answer_of_this_door_holds_a_secret(
    app: FastAPI, client: httpx2.AsyncClient, log_entries: LogEntries, operator: dict[str, str]
) -> None:
    async def fail(resources: ResourcesDep) -> None:
        raise RuntimeError(f"{resources.settings!r} {resources!r}")

    applications(app)["internal"].add_api_route("/fail", fail)

    answers = [
        (await client.get(path, headers=headers)).text
        for headers in (operator, {"Authorization": f"Bearer {SECRETS[0]}"}, {"Authorization": "Bearer x"})
        for path in (
            CONFIG,
            "/internal/topology",
            "/internal/health",
            "/internal/users",
            "/internal/audit",
            "/internal/fail",
        )
    ]

    assert '"code":"internal_error"' in answers[5]
    assert [secret for secret in SECRETS if any(secret in answer for answer in answers)] == []
    assert "hunter2" not in str(log_entries)


async def test_statement_that_fails_does_not_show_its_values(
    app: FastAPI, client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries
) -> None:
    values = {"hash": "$argon2id$hunter2"}

    async def fail() -> None:
        async with resources.database.write() as session:
            await session.execute(text("INSERT INTO nowhere VALUES (:hash)"), values)

    applications(app)["internal"].add_api_route("/fail", fail)

    response = await client.get("/internal/fail")

    assert response.status_code == 500
    assert "no such table: nowhere" in response.json()["error"]["exception"]
    assert "hunter2" not in response.text
    assert "hunter2" not in str(log_entries)
