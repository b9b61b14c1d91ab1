"""docs/operations.md says what the code says: settings, drain times, and the numbers that capacity is reckoned with."""

import re
from typing import Any

from pydantic import SecretStr

import commerce.limits.registry
import commerce.operations.registry
from commerce.flags import board
from core.cache.store import _CONNECTIONS as OBJECTS
from core.database import Database
from core.hub.redis import _client
from core.jobs.worker import Timing
from core.ratelimit.redis import _CONNECTIONS as LIMITER
from core.resources import limits_of
from core.settings import PREFIX, DataSettings, ServerSettings, Settings
from core.tailer import _POLL_SECONDS
from gateway import working
from gateway.server import DRAIN_SECONDS
from tests.deploy.files import compose, manifest, pods
from tests.fixtures.asgi import Served
from tests.fixtures.processes import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
FOR_TESTS = {"failpoint"}
NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
WEB_TO_A_POD = 2
LOOKING = (board, commerce.limits.registry, commerce.operations.registry)
TAILER, BACKGROUND, DOOR, LINES = (
    1,
    len(LOOKING),
    2,
    4,
)  # connections; the last two are DBOS's pools (core/jobs/engine.py)
MIB_OF_A_PROCESS = 150
WRITES = 100  # a second
SHAPES = [(1, 1), (3, 2), (6, 2), (20, 5), (100, 20), (1000, 100)]


def default(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{','.join(value)}`" if value else "none"
    return f"`{value}`"


def rows_of_settings() -> list[str]:
    groups: list[Any] = [field.annotation for field in Settings.model_fields.values()]
    return [
        f"| `{PREFIX}{name.upper()}` | {default(field.get_default(call_default_factory=True))} | {field.description} |"
        for group in groups
        for name, field in group.model_fields.items()
        if name not in FOR_TESTS
    ]


def test_every_setting_is_in_the_table_and_nothing_else() -> None:
    assert re.findall(rf"^\| `{PREFIX}.*$", PAGE, re.MULTILINE) == rows_of_settings()


def connections_for_requests() -> int:
    server = ServerSettings(secret_key=SecretStr("k"))
    limits = limits_of(Settings(data=DataSettings(database_url=NOWHERE), server=server))
    database = Database(NOWHERE, limits)  # which connects when it is asked
    return sum(pool.size for pool in database.pools)


def rows_of_capacity() -> list[str]:
    requests = connections_for_requests()
    web = requests + TAILER + BACKGROUND + DOOR
    worker = requests + TAILER + DOOR + LINES
    polls_of_jobs = 1 / Timing().poll
    looks_of_a_server = sum(1 / module._LOOK_SECONDS for module in LOOKING)
    redis = _client("redis://127.0.0.1:1").connection_pool.max_connections + LIMITER + OBJECTS
    rows = []
    for nodes, workers in SHAPES:
        processes = nodes * WEB_TO_A_POD
        every = processes + workers
        looks = every / _POLL_SECONDS["postgresql"] + processes * looks_of_a_server + workers * polls_of_jobs
        memory = processes * (MIB_OF_A_PROCESS + Settings().server.response_cache_mb) / 1024
        cells = [nodes, workers, processes * web + workers * worker, every * redis, looks, memory, every * WRITES]
        rows.append("| " + " | ".join(f"{cell:,.0f}" if cell >= 10 else f"{cell:.3g}" for cell in cells) + " |")
    return rows


def test_capacity_is_reckoned_from_the_code() -> None:
    table = PAGE.partition("## Capacity")[2].partition("\n\n- **Connections.**")[0]

    assert re.findall(r"^\| [\d,.]+ \|.*$", table, re.MULTILINE) == rows_of_capacity()
    assert f"have {connections_for_requests()} connections to" in PAGE
    assert manifest("ConfigMap", "portico")["data"]["WEB_CONCURRENCY"] == str(WEB_TO_A_POD)


def test_most_pods_of_the_manifests_are_in_the_table() -> None:
    most = manifest("HorizontalPodAutoscaler", "gateway")["spec"]["maxReplicas"]
    workers = manifest("Deployment", "worker")["spec"]["replicas"]

    assert (most, workers) in SHAPES


def test_drain_times_are_those_of_the_files() -> None:
    def told(what: str) -> int:
        (found,) = re.findall(rf"^\| {re.escape(what)}.* \| (\d+) \| ", PAGE, re.MULTILINE)
        return int(found)

    gateway = pods()["gateway"]
    assert told("requests and streams of the gateway") == DRAIN_SECONDS
    assert told("gunicorn's `graceful_timeout`") == DRAIN_SECONDS + 10
    assert str(told("Docker's `stop_grace_period`")) + "s" == compose()["services"]["gateway"]["stop_grace_period"]
    assert told("Kubernetes' preStop") == gateway["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert told("its `terminationGracePeriodSeconds`") == gateway["terminationGracePeriodSeconds"]
    assert told("jobs of a worker") == working._DRAIN_SECONDS
    assert told("what Docker and Kubernetes give a worker") == pods()["worker"]["terminationGracePeriodSeconds"]


async def test_every_operation_that_the_page_names_is_there(served: Served) -> None:
    named = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?\s]+)", PAGE)
    there = {re.sub(r"\{[^}]*\}", "{}", each) for each in served.state["switchable"]()}

    assert len(named) > 10
    assert {re.sub(r"\{[^}]*\}", "{}", each) for each in named} - there == set()
