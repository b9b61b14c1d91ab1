"""A storm at one door is that door's alone."""

from collections.abc import Iterator

import pytest

from tests.faults import storms
from tests.faults.counting import LIMIT, TRIES, counted, neighbour
from tests.faults.site import WEB, Gateway, Site, a_site
from tests.faults.voices import Headers


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), hasty=True, environment=storms.NARROW) as site:
        yield site


@pytest.fixture(scope="module")
def operator(site: Site) -> Headers:
    return storms.furnish(site)


def test_storm_on_graphql_is_refused_there_alone_and_nothing_is_lost(site: Site, operator: Headers) -> None:
    outcome = storms.isolation(site, operator, storms.CONNECTIONS[True])

    assert outcome.faults == [], outcome.rows


def test_limits_allow_as_much_as_they_say_however_many_workers_are_asked_at_once(site: Site, operator: Headers) -> None:
    found = counted(site, site.gateway, operator)

    assert found.points.keys() == found.tries.keys() == set(site.gateway.pids)
    assert all(answers[200] > 0 < answers[429] for answers in found.points.values())
    assert found.total(found.points) == {200: LIMIT, 429: 3 * LIMIT + WEB}
    assert found.total(found.tries) == {401: TRIES, 429: 3 * TRIES - 4}  # 36 tries on 12 connections


def test_limits_in_the_memory_of_one_process_are_as_exact(site: Site, operator: Headers) -> None:
    environment = {name: value for name, value in site.environment.items() if name != "PORTICO_REDIS_URL"}
    gateway = Gateway(site.start, environment, workers=1)

    found = counted(site, gateway, operator)

    assert found.total(found.points) == {200: LIMIT, 429: 3 * LIMIT + 1}
    assert found.total(found.tries) == {401: TRIES, 429: 3 * TRIES}


def test_storm_of_one_key_touches_no_other(site: Site, operator: Headers) -> None:
    found = neighbour(site, operator, rounds=2, connections=storms.KEY_CONNECTIONS[True])

    assert found.wrong == []
    assert [status for status, _ in found.answers] == [200, 200, 201, 200, 200]
    assert found.storm.keys() == {"200", "429 quota_exceeded"}
    assert found.storm["429 quota_exceeded"] > LIMIT
