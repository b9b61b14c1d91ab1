import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.settings import (
    CarrierSettings,
    DataSettings,
    ServerSettings,
    Settings,
    SettingsError,
    load_settings,
    with_embedded_secrets,
)

POSTGRES = "postgresql+asyncpg://portico:hunter2hunter2@db/portico"
# Every name of the contract, with a value that a person would give it, the group it belongs to and what it becomes.
DOCUMENTED = [
    ("DATA_DIR", "/srv/portico", "data", Path("/srv/portico")),
    ("DATABASE_URL", "sqlite+aiosqlite:////srv/shop.db", "data", "sqlite+aiosqlite:////srv/shop.db"),
    ("DATABASE_REPLICA_URL", POSTGRES, "data", POSTGRES),
    ("DATABASE_WRITE_CONNECTIONS", "20", "data", 20),
    ("DATABASE_READ_CONNECTIONS", "5", "data", 5),
    ("DATABASE_DIRECT_CONNECTIONS", "2", "data", 2),
    ("DATABASE_REPORT_CONNECTIONS", "1", "data", 1),
    ("DATABASE_WAIT_SECONDS", "1.5", "data", 1.5),
    ("DATABASE_STATEMENT_SECONDS", "30", "data", 30.0),
    ("DATABASE_POOLER", "true", "data", True),
    ("REDIS_URL", "redis://cache:6379/0", "data", "redis://cache:6379/0"),
    ("OBJECTS_URL", "s3://bucket", "data", "s3://bucket"),
    ("SECRET_KEY", "a-key-of-sixteen-characters", "server", SecretStr("a-key-of-sixteen-characters")),
    ("PUBLIC_URL", "https://shop.example.com/", "server", "https://shop.example.com/"),
    ("ENVIRONMENT", "production", "server", "production"),
    (
        "CORS_ORIGINS",
        "https://a.example, https://b.example,",
        "server",
        ("https://a.example", "https://b.example"),
    ),
    ("TRUSTED_HOSTS", "shop.example.com,*.example.org", "server", ("shop.example.com", "*.example.org")),
    ("TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1", "server", ("10.0.0.0/8", "127.0.0.1")),
    ("POINTS_PER_MINUTE", "500", "server", 500),
    ("RECEIPTS_PER_SECOND", "5", "server", 5),
    ("RESPONSE_CACHE_MB", "16", "server", 16),
    ("GRAPHQL_PLANS", "false", "server", False),
    ("METRICS_TOKEN", "a-token-of-sixteen-characters", "server", SecretStr("a-token-of-sixteen-characters")),
    ("OTLP_ENDPOINT", "http://collector:4318/", "server", "http://collector:4318/"),
    ("PUBLIC_RUNNING", "200", "capacity", 200),
    ("PUBLIC_WAITING", "0", "capacity", 0),
    ("PUBLIC_RESERVED", "1", "capacity", 1),
    ("INTERNAL_RUNNING", "3", "capacity", 3),
    ("INTERNAL_WAITING", "4", "capacity", 4),
    ("GRAPHQL_RUNNING", "5", "capacity", 5),
    ("GRAPHQL_WAITING", "6", "capacity", 6),
    ("QUEUE_SECONDS", "0.5", "capacity", 0.5),
    ("AUDIENCE_THREADS", "2", "capacity", 2),
    ("CURRENCY", "EUR", "shop", "EUR"),
    ("COUNTRY", "DE", "shop", "DE"),
    (
        "CARRIERS",
        '[{"name": "fast", "url": "https://fast.example/quotes", "headers": {"X-Key": "k"}}]',
        "shop",
        (CarrierSettings(name="fast", url="https://fast.example/quotes", headers={"X-Key": "k"}),),
    ),
    ("QUOTE_SECONDS", "1.5", "shop", 1.5),
    ("UPSTREAM_PROXY", "http://proxy:3128/", "shop", "http://proxy:3128/"),
    ("SMTP_URL", "smtp://mail:25", "mail", SecretStr("smtp://mail:25")),
    ("LLM_BASE_URL", "http://llm:8080/v1", "assistant", "http://llm:8080/v1"),
    ("TRACE_RATIO", "0.25", "server", 0.25),
    ("LLM_API_KEY", "sk-1", "assistant", SecretStr("sk-1")),
    ("LLM_MODEL", "small", "assistant", "small"),
    ("FAILPOINT", "after_commit", "test", "after_commit"),
]


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.mark.parametrize(("name", "value", "group", "expected"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_documented_name_is_accepted(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str, value: str, group: str, expected: object
) -> None:
    monkeypatch.setenv(f"PORTICO_{name}", value)

    settings = load_settings(env_file)

    found = getattr(getattr(settings, group), name.lower())
    assert (str(found) if isinstance(expected, str) else found) == expected


def test_no_setting_is_undocumented() -> None:
    groups = [field.annotation for field in Settings.model_fields.values()]

    names = {name.upper() for group in groups if group is not None for name in group.model_fields}

    assert names == {row[0] for row in DOCUMENTED}


def test_defaults_are_embedded_mode(env_file: Path) -> None:
    settings = load_settings(env_file)

    assert settings.embedded
    assert settings.database_url == "sqlite+aiosqlite:///var/portico.db"
    assert settings.shop.currency == "USD"
    assert settings.cors_origins == ("*",)


def test_production_allows_no_origin_by_default(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    monkeypatch.setenv("PORTICO_ENVIRONMENT", "production")

    assert load_settings(env_file).cors_origins == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PORTICO_DATABASE_URI", "PORTICO_DATABASE_URI is not a setting; did you mean PORTICO_DATABASE_URL?"),
        ("PORTICO_SECRETKEY", "PORTICO_SECRETKEY is not a setting; did you mean PORTICO_SECRET_KEY?"),
        ("PORTICO_ZZZZ", "PORTICO_ZZZZ is not a setting"),
    ],
)
def test_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str, message: str) -> None:
    monkeypatch.setenv(name, "x")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == message


def test_unknown_name_in_env_file_is_refused(env_file: Path) -> None:
    env_file.write_text("PORTICO_CURENCY=EUR\n")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == "PORTICO_CURENCY is not a setting; did you mean PORTICO_CURRENCY?"


def test_foreign_names_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    monkeypatch.setenv("CURENCY", "x")
    env_file.write_text("OTHER_APP=1\n")

    assert load_settings(env_file).shop.currency == "USD"


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    env_file.write_text("PORTICO_CURRENCY=EUR\nPORTICO_LLM_MODEL=small\n")
    monkeypatch.setenv("PORTICO_CURRENCY", "JPY")

    settings = load_settings(env_file)

    assert settings.shop.currency == "JPY"
    assert settings.assistant.llm_model == "small"


@pytest.mark.parametrize("name", [row[0] for row in DOCUMENTED])
def test_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str) -> None:
    unset = load_settings(env_file)
    monkeypatch.setenv(f"PORTICO_{name}", "")

    assert load_settings(env_file) == unset


def test_empty_line_of_env_file_is_an_unset_one(env_file: Path) -> None:
    env_file.write_text("PORTICO_DATABASE_URL=\nPORTICO_CARRIERS=\n")

    assert load_settings(env_file) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/shop"),
        ("DATABASE_URL", "postgresql://portico:hunter2@db/shop"),
        ("DATABASE_REPLICA_URL", "sqlite+aiosqlite:///hunter2"),
        ("REDIS_URL", "http://:hunter2@cache"),
        ("OBJECTS_URL", "ftp://hunter2"),
        ("CURRENCY", "hunter2"),
        ("CARRIERS", '[{"key": "hunter2"'),
        ("CARRIERS", '{"key": "hunter2"}'),
        ("ENVIRONMENT", "hunter2"),
        ("PUBLIC_URL", "hunter2"),
        ("LLM_BASE_URL", "hunter2"),
    ],
)
def test_bad_value_is_named_on_one_line_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(f"PORTICO_{name}", value)

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    message = str(refused.value)
    assert message.startswith(f"PORTICO_{name}: ")
    assert "\n" not in message
    assert "hunter2" not in message
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ('{"url": "https://a.example"}', "0.name: Field required"),
        ('{"name": "a"}', "0.url: Field required"),
        ('{"name": "a", "url": "ftp://a.example"}', "0.url: URL scheme should be 'http' or 'https'"),
        ('{"name": "a", "url": "https://me:hunter2@a.example"}', "0.url: credentials belong in headers"),
        ('{"name": "a", "url": "https://a.example", "timeout_seconds": 0}', "0.timeout_seconds: "),
        ('{"name": "a", "url": "https://a.example", "key": "hunter2"}', "0.key: Extra inputs are not permitted"),
        ('{"name": "a", "url": "https://a.example", "headers": {"Host": "hunter2"}}', "0.headers: Host is not yours"),
        ('{"name": "a", "url": "https://a.example", "headers": {"X": "hunter2\\n"}}', "0.headers: the value of X is"),
        ('{"name": "a", "url": "https://a.example", "headers": {"X Y": "hunter2"}}', "0.headers: a header's name"),
        ('{"name": "Table", "url": "https://a.example"}', "the name table is taken"),
        ('{"name": "LLM", "url": "https://a.example"}', "the name llm is taken"),
        ('{"name": "a", "url": "https://a.example"}, {"name": "A", "url": "https://b.example"}', "the name a is taken"),
    ],
)
def test_carrier_that_cannot_be_used_is_told_on_one_line(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, entry: str, fault: str
) -> None:
    monkeypatch.setenv("PORTICO_CARRIERS", f"[{entry}]")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    message = str(refused.value)
    assert message.startswith(f"PORTICO_CARRIERS: {fault}")
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("BASE_URL", "https://llm.example/v1?key=hunter2", "paths are put behind it"),
        ("BASE_URL", "https://llm.example/v1#hunter2", "paths are put behind it"),
        ("BASE_URL", "ftp://hunter2", "URL scheme should be 'http' or 'https'"),
        ("API_KEY", "hunter2\n", "is not visible ASCII"),
        ("API_KEY", "hünter2", "is not visible ASCII"),
        ("MODEL", "hunter2" * 30, "String should have at most 200 characters"),
    ],
)
def test_model_server_that_cannot_be_used_is_told_on_one_line(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str, value: str, fault: str
) -> None:
    monkeypatch.setenv(f"PORTICO_LLM_{name}", value)

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    message = str(refused.value)
    assert message.startswith(f"PORTICO_LLM_{name}: {fault}")
    assert "\n" not in message
    assert "hunter2" not in message


def test_secrets_of_carriers_are_not_in_the_repr(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    entry = '{"name": "a", "url": "https://a.example/?key=hunter2", "headers": {"X-Key": "hunter2"}}'
    monkeypatch.setenv("PORTICO_CARRIERS", f"[{entry}]")

    settings = load_settings(env_file)

    assert settings.shop.carriers[0].headers["X-Key"].get_secret_value() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings.shop.carriers!r} {settings.shop.carriers[0]!r}"


def test_secrets_are_not_in_the_repr(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    for name in ("SECRET_KEY", "METRICS_TOKEN", "LLM_API_KEY"):
        monkeypatch.setenv(f"PORTICO_{name}", "hunter2-hunter2-hunter2")
    monkeypatch.setenv("PORTICO_SMTP_URL", "smtp://shop:hunter2@mail.example")

    assert "hunter2" not in repr(load_settings(env_file))


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL"])
def test_password_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str) -> None:
    monkeypatch.setenv("PORTICO_SECRET_KEY", "a-key-of-sixteen-characters")
    monkeypatch.setenv(f"PORTICO_{name}", "redis://:hunter2@cache" if name == "REDIS_URL" else POSTGRES)

    settings = load_settings(env_file)

    assert "hunter2" in getattr(settings.data, name.lower())
    for shown in (settings, settings.data):
        assert settings.database_url  # a cached value must not show either
        assert "hunter2" not in repr(shown)
        assert "hunter2" not in str(shown)


def test_secret_key_is_required_with_postgresql(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", POSTGRES)

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == "PORTICO_SECRET_KEY is required with PostgreSQL: all processes must share it"


@pytest.mark.parametrize("name", ["SECRET_KEY", "METRICS_TOKEN"])
def test_short_secret_is_refused_in_production_alone(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str
) -> None:
    monkeypatch.setenv(f"PORTICO_{name}", "hunter2")
    load_settings(env_file)
    monkeypatch.setenv("PORTICO_ENVIRONMENT", "production")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == f"PORTICO_{name} needs 16 characters or more in production"


def test_failpoint_is_refused_outside_tests(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    monkeypatch.setenv("PORTICO_FAILPOINT", "after_commit")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == "PORTICO_FAILPOINT is for tests alone"


def test_embedded_secrets_are_made_once_for_the_owner_alone_and_used_again(tmp_path: Path) -> None:
    settings = Settings(data=DataSettings(data_dir=tmp_path / "new" / "var"))
    before = os.umask(0)
    try:
        first = with_embedded_secrets(settings)
    finally:
        os.umask(before)

    again = with_embedded_secrets(settings)

    for name in ("secret_key", "metrics_token"):
        kept = tmp_path / "new" / "var" / name
        value = getattr(first.server, name).get_secret_value()
        assert len(value) == 43
        assert kept.read_text() == value + "\n"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert getattr(again.server, name).get_secret_value() == value
    assert first.server.secret_key != first.server.metrics_token
    assert sorted(path.name for path in (tmp_path / "new" / "var").iterdir()) == ["metrics_token", "secret_key"]


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    settings = Settings(data=DataSettings(data_dir=tmp_path))

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: with_embedded_secrets(settings), range(64)))

    keys = {each.server.secret_key.get_secret_value() for each in made if each.server.secret_key}
    assert [len(key) for key in keys] == [43]


def test_given_secret_is_kept_and_no_file_is_made_for_it(tmp_path: Path) -> None:
    given = SecretStr("given-by-the-operator")
    settings = Settings(data=DataSettings(data_dir=tmp_path), server=ServerSettings(secret_key=given))

    settings = with_embedded_secrets(settings)

    assert settings.server.secret_key == given
    assert [path.name for path in tmp_path.iterdir()] == ["metrics_token"]


def test_no_secret_is_made_with_postgresql(tmp_path: Path) -> None:
    settings = Settings(
        data=DataSettings(data_dir=tmp_path, database_url=POSTGRES),
        server=ServerSettings(secret_key=SecretStr("shared-by-all-processes")),
    )

    assert with_embedded_secrets(settings) == settings
    assert list(tmp_path.iterdir()) == []


def test_reads_of_the_public_api_keep_a_place(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    monkeypatch.setenv("PORTICO_PUBLIC_RUNNING", "16")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert str(refused.value) == (
        "PORTICO_PUBLIC_RESERVED leaves reads no place: it is not below PORTICO_PUBLIC_RUNNING"
    )
