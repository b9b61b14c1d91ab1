"""`portico models`: trained, listed, shown and gone back to; on each kind of database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import pytest

from core.jobs.entities import Job
from core.jobs.repository import JobRepository
from core.resources import Resources, open_resources
from core.settings import load_settings
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.order_rows import OrderRows, line
from tests.gateway.cli.running import portico, refused, use

T = TypeVar("T")


@pytest.fixture(autouse=True)
def database_url(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Migrated; as the commands find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    return use(database_url, monkeypatch)


def with_resources(do: Callable[[Resources], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_resources(load_settings()) as resources:
            return await do(resources)

    return asyncio.run(run())


async def sell_together(resources: Resources) -> None:
    catalogue, orders = Catalogue(resources.database, FakeClock()), OrderRows(resources.database)
    ids = [(await catalogue.create(handle=f"thing-{number}")).head.id for number in range(3)]
    at = resources.clock.now() - timedelta(days=1)
    for one, other in combinations(ids, 2):
        await orders.add_many(2, line(product_id=one), line(product_id=other), placed_at=at)


def listed() -> list[dict[str, Any]]:
    result = portico("models", "list", "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_shop_without_models_is_told_how_to_train_one() -> None:
    result = portico("models", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "portico models train recommendations" in result.stderr
    assert "no such version of forecast" in refused(portico("models", "show", "forecast"))


def test_trained_model_is_listed_and_shown() -> None:
    with_resources(sell_together)

    trained = portico("models", "train", "recommendations")

    assert trained.exit_code == 0, trained.output
    (found,) = listed()
    assert trained.stdout.startswith(f"published recommendations {found['version']} (current, ")
    assert (found["role"], found["format"], found["metrics"]["products"]) == ("current", "safetensors", 3)
    assert f"{found['version']}  current" in portico("models", "list").stdout
    assert found["sha256"] in portico("models", "show", "recommendations").stdout
    assert json.loads(portico("models", "show", "recommendations", found["version"], "--json").stdout) == found


def test_older_version_is_gone_back_to() -> None:
    with_resources(sell_together)
    for options in ((), (), ("--shadow",)):
        assert portico("models", "train", "recommendations", *options).exit_code == 0
    shadow, second, first = listed()
    assert [each["role"] for each in (shadow, second, first)] == ["shadow", "current", "kept"]

    used = portico("models", "use", "recommendations", first["version"])

    assert (used.exit_code, used.stdout) == (0, f"recommendations {first['version']} is current\n")
    assert [each["role"] for each in listed()] == ["shadow", "kept", "current"]
    assert "no version 'nothing'" in refused(portico("models", "use", "recommendations", "nothing"))


def test_training_without_orders_is_refused_and_says_why() -> None:
    for model, reason in (("recommendations", "no two products"), ("forecast", "nothing was ordered")):
        assert reason in refused(portico("models", "train", model))
    assert "not trained with" in refused(portico("models", "train", "recommendations", "--with", "gradient-boosting"))
    assert portico("models", "train", "nothing").exit_code == 2


def test_training_can_be_left_to_a_job() -> None:
    result = portico("models", "train", "forecast", "--job", "--with", "gradient-boosting")

    assert result.exit_code == 0, result.output

    async def read(resources: Resources) -> Job | None:
        async with resources.database.read() as session:
            return await JobRepository(session).get(result.stdout.strip())

    job = with_resources(read)
    assert job is not None
    assert (job.name, job.state) == ("models.train", "queued")
    assert job.args == {"model": "forecast", "way": "gradient-boosting", "role": "current"}
