"""Several processes that keep objects in one Redis."""

from tests.fixtures.processes import told_together

PROCESSES = 3


async def test_three_processes_that_ask_at_once_make_an_object_once(redis_url: str, shop: bytes) -> None:
    told = await told_together("tests.core.cache.making_program", redis_url, shop.decode(), processes=PROCESSES)

    made, found = zip(*(map(int, out.split()) for out in told), strict=True)
    assert (sum(made), found) == (1, (20, 20, 20))
