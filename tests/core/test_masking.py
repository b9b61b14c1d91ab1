"""Credentials are taken out of what is shown, in every place that they are written in; the rest stays as it is."""

from pathlib import Path

import pytest
from pydantic import AnyHttpUrl, SecretStr

from core.masking import masked


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql+asyncpg://shop:s3cret@db.example/portico", "postgresql+asyncpg://shop:***@db.example/portico"),
        ("postgresql+asyncpg://shop:s3/c@r#e?t@db/portico", "postgresql+asyncpg://shop:***@db/portico"),
        ("postgresql+asyncpg://db/portico?user=shop&password=s3cret", "postgresql+asyncpg://db/portico?user=shop&password=***"),
        ("redis://:s3cret@cache:6379/0", "redis://***@cache:6379/0"),
        ("rediss://s3cret@cache:6379", "rediss://***@cache:6379"),
        ("https://s3cret:@api.example/v2", "https://***@api.example/v2"),
        ("https://api.example/rates?API_KEY=s3cret&size=2", "https://api.example/rates?API_KEY=***&size=2"),
        ("https://api.example/?a=1;auth_token=s3cret#top", "https://api.example/?a=1;auth_token=***"),
        ("Bearer s3cret", "Bearer ***"),
        ("basic czNjcmV0", "basic ***"),
        (AnyHttpUrl("https://u:s3cret@llm.example/"), "https://***@llm.example/"),
        (SecretStr("s3cret"), "***"),
    ],
)  # fmt: skip
def test_credential_in_a_text_is_masked(value: object, shown: str) -> None:
    assert masked(value) == shown


@pytest.mark.parametrize(
    "name",
    ["password", "apiKey", "API_KEY", "x-auth", "client_secret", "accessToken", "Authorization", "cookie", "headers",
     "credentials", "private_pem", "pwd", "passphrase", "session_id", "signature"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["s3cret", 1234, ["s3cret"], {"X-Any": "s3cret"}, True])
def test_what_goes_by_the_name_of_a_credential_is_masked_whatever_it_is(name: str, value: object) -> None:
    assert masked([{"carrier": {name: value, "name": "Fast"}}]) == [{"carrier": {name: "***", "name": "Fast"}}]


def test_what_is_no_credential_is_shown() -> None:
    carrier = {
        "name": "Fast",
        "url": "https://api.example/rates?size=2",
        "timeout": 1.5,
        "on": True,
        "zones": ["EU", 3],
    }

    assert masked([carrier, None, ""]) == [carrier, None, ""]
    assert masked(Path("var")) == "var"
    assert masked(("a", "b")) == ["a", "b"]
    assert masked("sqlite+aiosqlite:///var/portico.db") == "sqlite+aiosqlite:///var/portico.db"


def test_credential_that_is_not_set_is_shown_as_not_set() -> None:
    assert masked({"api_key": None, "password": ""}) == {"api_key": None, "password": ""}
