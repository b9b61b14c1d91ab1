"""Settings from the environment (prefix `PORTICO_`) and a `.env` file, one frozen class per subsystem.

A name with the prefix that no class knows stops the start, so that a misspelt setting is never silently ignored.
"""

import difflib
import ipaddress
import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableValue

from core.money import MAX_AMOUNT

PREFIX = "PORTICO_"
SHORTEST_SECRET = 16
BUILT_IN_CARRIER = "table"  # the one that needs no service of others
MODEL_SERVER = "llm"  # what metrics, logs and receipts call the assistant's, among the upstreams
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,4094}[!-~])?")
_OUR_HEADERS = frozenset(("accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "host",
                          "traceparent", "transfer-encoding"))  # fmt: skip


class SettingsError(Exception):
    """Settings that cannot be used; the text is one line that says which and why."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class _Group(BaseSettings):
    # An empty variable is an unset one, as in a compose file. What may hold a password, as addresses do, is a SecretStr
    # or not in the repr.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")


class ServerSettings(_Group):
    environment: Literal["development", "production"] = Field(
        "development", description="In production the GraphQL IDE is off and CORS allows no origin by default."
    )
    public_url: AnyHttpUrl | None = Field(None, description="The address that clients use, for absolute links.")
    secret_key: SecretStr | None = Field(None, description="Signs and encrypts; embedded mode makes one in DATA_DIR.")
    cors_origins: Annotated[CommaSeparated | None, NoDecode] = Field(
        None, description="Origins that browsers may call from, or *."
    )
    trusted_hosts: CommaSeparated = Field(("*",), description="Host names that are answered; *.example.com works.")
    trusted_proxies: CommaSeparated = Field((), description="Addresses or networks whose X-Forwarded-* is believed.")
    points_per_minute: int = Field(
        1_000_000, gt=0, description="What each caller may spend, on all doors: a read costs 1, a write 10."
    )
    response_cache_mb: int = Field(
        64, ge=0, description="How many megabytes of finished public answers each process keeps; 0: none."
    )
    receipts_per_second: int = Field(
        20,
        ge=0,
        description="Of how many requests a second each process keeps a receipt, of failed and slow ones ten times.",
    )
    graphql_plans: bool = Field(
        True, description="Off: every GraphQL operation runs on the executor, also where one statement could answer it."
    )
    metrics_token: SecretStr | None = Field(
        None, description="Opens /internal/metrics; embedded mode makes one in DATA_DIR."
    )
    otlp_endpoint: AnyHttpUrl | None = Field(
        None, repr=False, description="Where traces are sent, over OTLP/HTTP; /v1/traces is put behind it. Unset: none."
    )
    trace_ratio: float = Field(
        1.0, ge=0, le=1, description="How many of the requests that come without a trace of their own are traced."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*":
                ipaddress.ip_network(each, strict=False)
        return value

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        for name in ("secret_key", "metrics_token"):
            secret: SecretStr | None = getattr(self, name)
            if self.environment == "production" and secret is not None and len(secret) < SHORTEST_SECRET:
                raise ValueError(f"{PREFIX}{name.upper()} needs {SHORTEST_SECRET} characters or more in production")
        return self


class CapacitySettings(_Group):
    """Of each process. What a door has no place for waits; what finds the line full, or waits too long, gets 503."""

    public_running: int = Field(64, gt=0, description="How many requests of /public run at once in each process.")
    public_waiting: int = Field(512, ge=0, description="How many more of them may wait.")
    public_reserved: int = Field(
        16, ge=0, description="Of the places of /public, those that only requests which change orders get."
    )
    internal_running: int = Field(16, gt=0, description="As of /public, of /internal.")
    internal_waiting: int = Field(64, ge=0, description="As of /public, of /internal.")
    graphql_running: int = Field(32, gt=0, description="As of /public, of /graphql.")
    graphql_waiting: int = Field(256, ge=0, description="As of /public, of /graphql.")
    queue_seconds: float = Field(5.0, gt=0, description="How long a request waits for a place before it gets 503.")
    audience_threads: int = Field(
        4, gt=0, description="How many requests of each audience may work in a thread at once, in each process."
    )

    @model_validator(mode="after")
    def _reads_have_places(self) -> Self:
        if self.public_reserved >= self.public_running:
            raise ValueError(f"{PREFIX}PUBLIC_RESERVED leaves reads no place: it is not below {PREFIX}PUBLIC_RUNNING")
        return self


class DataSettings(_Group):
    data_dir: Path = Field(Path("var"), description="Everything that embedded mode writes.")
    database_url: str | None = Field(
        None,
        repr=False,
        pattern=r"^(sqlite\+aiosqlite:///.+|postgresql\+asyncpg://.+)$",
        description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://...; SQLite in DATA_DIR if unset.",
    )
    database_replica_url: str | None = Field(
        None, repr=False, pattern=r"^postgresql\+asyncpg://.+$", description="A read replica for reports and exports."
    )
    database_write_connections: int = Field(
        10, gt=0, description="Connections to PostgreSQL, at most, of each process, for what writes."
    )
    database_read_connections: int = Field(10, gt=0, description="The same, for what reads.")
    database_direct_connections: int = Field(4, gt=0, description="The same, for the hot reads.")
    database_report_connections: int = Field(
        2, gt=0, description="The same, for reports and exports; as many again to the replica."
    )
    database_wait_seconds: float = Field(
        5.0, gt=0, description="How long a request waits for one of them before it gets 503."
    )
    database_statement_seconds: float = Field(
        10.0, gt=0, description="What a request's statement may take on PostgreSQL; jobs, reports and exports have 300."
    )
    database_pooler: bool = Field(
        False, description="PgBouncer in transaction mode is before PostgreSQL: nothing is kept from one to the next."
    )
    redis_url: str | None = Field(
        None,
        repr=False,
        pattern=r"^(redis|rediss|unix)://.+$",
        description="Unset: in memory, which means one process.",
    )
    objects_url: str | None = Field(
        None, repr=False, pattern=r"^(file|s3)://.+$", description="Where files live; DATA_DIR/objects if unset."
    )


class CarrierSettings(BaseModel):
    """One upstream shipping service. Its address may hold a credential, as its headers do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$")
    url: AnyHttpUrl = Field(repr=False)
    timeout_seconds: float = Field(2.0, gt=0, le=30)
    headers: dict[str, SecretStr] = Field(default_factory=dict, repr=False)
    max_price: int = Field(1_000_000, ge=0, le=MAX_AMOUNT)  # minor units: beyond it a price is an error
    own_network: bool = False  # it may be on a network of our own, also in production

    @field_validator("url")
    @classmethod
    def _has_no_userinfo(cls, value: AnyHttpUrl) -> AnyHttpUrl:
        if value.username is not None or value.password is not None:
            raise ValueError("credentials belong in headers")
        return value

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("a header's name is letters, digits and dashes")
            if name.lower() in _OUR_HEADERS:
                raise ValueError(f"{name} is not yours to set")
            if not _HEADER_VALUE.fullmatch(secret.get_secret_value()):
                raise ValueError(f"the value of {name} is not visible ASCII")
        return value


class ShopSettings(_Group):
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="Of prices that name none (ISO 4217).")
    country: str = Field("US", pattern=r"^[A-Z]{2}$", description="Where orders are sent from (ISO 3166-1 alpha-2).")
    carriers: tuple[CarrierSettings, ...] = Field(
        (),
        max_length=20,
        repr=False,
        description="Upstream shipping services, a JSON list: name, url, and if need be timeout_seconds, headers, "
        "max_price, own_network (docs/carriers.md).",
    )
    quote_seconds: float = Field(3.0, gt=0, le=30, description="How long all carriers together may take.")
    upstream_proxy: AnyHttpUrl | None = Field(
        None, repr=False, description="A proxy to call upstreams through; the environment's are never used."
    )

    @field_validator("carriers")
    @classmethod
    def _names_differ(cls, value: tuple[CarrierSettings, ...]) -> tuple[CarrierSettings, ...]:
        names = [each.name.lower() for each in value]
        for name in names:
            if name in (BUILT_IN_CARRIER, MODEL_SERVER) or names.count(name) > 1:
                raise ValueError(f"the name {name} is taken")
        return value


class MailSettings(_Group):
    smtp_url: SecretStr | None = Field(
        None,
        description="smtp[s]://user:password@host:port?from=shop@example.com; unset: .eml files in DATA_DIR/outbox.",
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0:
                raise ValueError("is not smtp://host or smtps://host")
        return value


class AssistantSettings(_Group):
    llm_base_url: AnyHttpUrl | None = Field(
        None, repr=False, description="An OpenAI-compatible server, with its /v1; unset: built in (docs/models.md)."
    )
    llm_api_key: SecretStr | None = Field(None, description="Its key.")
    llm_model: str | None = Field(
        None, max_length=200, description="Its model; unset: the only one that the server has."
    )

    @field_validator("llm_base_url")
    @classmethod
    def _is_a_folder(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if value is not None and (value.query is not None or value.fragment is not None):
            raise ValueError("paths are put behind it: it has no place for a query")
        return value

    @field_validator("llm_api_key")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError("is not visible ASCII")
        return value


class TestSettings(_Group):
    __test__ = False  # pytest collects by name
    failpoint: str | None = Field(None, description="Where to die; only under a test runner.")

    @model_validator(mode="after")
    def _only_in_tests(self) -> Self:
        if self.failpoint is not None and "PYTEST_CURRENT_TEST" not in os.environ:
            raise ValueError("PORTICO_FAILPOINT is for tests alone")
        return self


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    server: ServerSettings = Field(default_factory=ServerSettings)
    capacity: CapacitySettings = Field(default_factory=CapacitySettings)
    data: DataSettings = Field(default_factory=DataSettings)
    shop: ShopSettings = Field(default_factory=ShopSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    assistant: AssistantSettings = Field(default_factory=AssistantSettings)
    test: TestSettings = Field(default_factory=TestSettings)

    @cached_property
    def database_url(self) -> str:
        return self.data.database_url or f"sqlite+aiosqlite:///{self.data.data_dir / 'portico.db'}"

    @property
    def objects_url(self) -> str:
        return self.data.objects_url or f"file://{self.data.data_dir.absolute() / 'objects'}"

    @property
    def secret_key(self) -> SecretStr:
        """Given or made: `with_embedded_secrets` comes first."""
        assert self.server.secret_key is not None  # noqa: S101  required unless embedded
        return self.server.secret_key

    @property
    def embedded(self) -> bool:
        """SQLite: one host, one web process, everything in DATA_DIR."""
        return self.database_url.startswith("sqlite")

    @property
    def is_production(self) -> bool:
        return self.server.environment == "production"

    @property
    def cors_origins(self) -> tuple[str, ...]:
        if self.server.cors_origins is not None:
            return self.server.cors_origins
        return () if self.is_production else ("*",)

    @model_validator(mode="after")
    def _secret_key_is_there(self) -> Self:
        if not self.embedded and self.server.secret_key is None:
            raise ValueError("PORTICO_SECRET_KEY is required with PostgreSQL: all processes must share it")
        return self


def load_settings(env_file: Path = Path(".env")) -> Settings:
    """Settings from the environment, and from `env_file` for what it does not name.

    Raises SettingsError with one line that names the first bad or unknown setting.
    """
    groups = {name: field.annotation for name, field in Settings.model_fields.items()}
    known = {field.upper() for group in groups.values() for field in group.model_fields}  # type: ignore[union-attr]
    for name in sorted({*dotenv_values(env_file), *os.environ}):
        short = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and short not in known:
            near = difflib.get_close_matches(short, known, n=1)
            raise SettingsError(f"{name} is not a setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
    try:
        return Settings(**{name: group(_env_file=env_file) for name, group in groups.items()})  # type: ignore[misc]
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        setting, *inside = map(str, fault["loc"] or ("",))
        field = f"{PREFIX}{setting.upper()}: " if setting else ""
        field += f"{'.'.join(inside)}: " if inside else ""
        raise SettingsError(f"{field}{fault['msg'].removeprefix('Value error, ')}") from None
    except UnreadableValue as error:
        raise SettingsError(f"{PREFIX}{str(error).split(chr(34))[1].upper()}: is not valid JSON") from None


def with_embedded_secrets(settings: Settings) -> Settings:
    """In embedded mode, secrets that were not given are made once and kept in DATA_DIR, for its owner's eyes alone."""
    if not settings.embedded:
        return settings
    missing = [name for name in ("secret_key", "metrics_token") if getattr(settings.server, name) is None]
    made = {name: SecretStr(_kept_secret(settings.data.data_dir / name)) for name in missing}
    return settings.model_copy(update={"server": settings.server.model_copy(update=made)})


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written whole under another name first: a process that dies here, or starts beside this one, leaves no half.
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return path.read_text().strip()
