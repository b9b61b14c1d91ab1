"""Many at once, too many at once, and workers that die: others are served meanwhile."""

import asyncio
import os
import signal

import httpx2

from commerce.catalog.entities import Product
from commerce.media.program import IMAGES
from core.resources import Resources
from tests.factories.images import an_image, encoded, opened
from tests.fixtures.probes import read_error
from tests.public_api.media.conftest import Upload, images_of, path_of
from tests.public_api.media.test_showing import Counting, counting

__all__ = ["counting"]


def noise() -> bytes:
    from PIL import Image  # noqa: PLC0415

    return encoded(Image.effect_noise((3000, 2000), 80).convert("RGB"), "JPEG")


async def test_fifty_who_ask_for_one_derivative_have_it_made_once(
    client: httpx2.AsyncClient, upload: Upload, counting: Counting, resources: Resources
) -> None:
    path = path_of(await upload("tent"))
    del counting.puts[:]

    answers = await asyncio.gather(*(client.get(path, params={"w": 123, "format": "webp"}) for _ in range(50)))

    assert [answer.status_code for answer in answers] == [200] * 50
    assert len({answer.content for answer in answers}) == 1
    assert len(counting.puts) == 1
    assert len(resources.workers.pool(IMAGES).pids) == 1


async def test_more_than_can_wait_are_told_to_come_later_while_others_are_served(
    client: httpx2.AsyncClient, upload: Upload
) -> None:
    path = path_of(await upload("tent", noise()))
    places = IMAGES.at_once + IMAGES.waiting

    asking = [
        asyncio.ensure_future(client.get(path, params={"w": 600 + number, "format": "png"}))
        for number in range(places + 10)
    ]
    await asyncio.sleep(0.2)
    health = await client.get("/healthz")
    products = await client.get("/public/v1/products")
    pending = sum(not each.done() for each in asking)
    answers = await asyncio.gather(*asking)

    assert (health.status_code, products.status_code) == (200, 200)
    assert pending > 0
    refused = [answer for answer in answers if answer.headers.get("retry-after") == "2"]
    assert len(refused) == 10
    for answer in refused:
        assert (answer.status_code, read_error("v1", answer).code) == (503, "workers_busy")
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["cache-control"] == "no-store"


async def test_worker_that_is_killed_at_work_fails_one_request_and_no_other(
    client: httpx2.AsyncClient, upload: Upload, resources: Resources
) -> None:
    path = path_of(await upload("tent", noise()))
    pool = resources.workers.pool(IMAGES)
    (pid,) = pool.pids

    asking = asyncio.ensure_future(client.get(path, params={"format": "avif"}))
    await asyncio.sleep(0.3)
    assert not asking.done()
    os.kill(pid, signal.SIGKILL)
    lost = await asking
    following = await client.get(path, params={"w": 40})

    assert (lost.status_code, read_error("v1", lost).code) == (503, "worker_lost")
    assert lost.headers["retry-after"] == "1"
    assert opened(following.content).size == (40, 27)
    assert pool.pids != [pid]


async def test_upload_whose_worker_is_killed_changes_nothing(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources, upload: Upload
) -> None:
    await upload("tent")
    (pid,) = resources.workers.pool(IMAGES).pids
    os.kill(pid, signal.SIGSTOP)
    headers = {**writer, "Content-Type": "image/jpeg"}

    asking = asyncio.ensure_future(client.post(images_of(shop["wool-cap"]), content=an_image(), headers=headers))
    await asyncio.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    lost = await asking
    again = await client.post(images_of(shop["wool-cap"]), content=an_image(), headers=headers)

    assert (lost.status_code, again.status_code) == (503, 201)
    product = (await client.get("/public/v1/products/wool-cap")).json()
    assert [image["id"] for image in product["images"]] == [again.json()["id"]]
