"""What the tests of accounts share: a person as curl would make one."""

from pathlib import Path
from typing import Any

import httpx2

from core.settings import Settings

V1 = "/public/v1"
PASSWORD = "correct horse battery staple"
ADA = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada Lovelace"}


async def register(client: httpx2.AsyncClient, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
    return await client.post(f"{V1}/auth/register", json={**ADA, **fields}, headers=headers)


async def ask_token(
    client: httpx2.AsyncClient, username: str = "ada@example.com", password: str = PASSWORD, **form: str
) -> httpx2.Response:
    return await client.post(f"{V1}/auth/token", data={"username": username, "password": password, **form})


async def sign_in(client: httpx2.AsyncClient) -> dict[str, Any]:
    """Ada's tokens; she registers before."""
    await register(client)
    tokens: dict[str, Any] = (await ask_token(client)).json()
    return tokens


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def written(settings: Settings) -> bytes:
    """Every byte of the database, its log included."""
    files = sorted(Path(settings.data.data_dir).glob("portico.db*"))
    return b"".join(file.read_bytes() for file in files)
