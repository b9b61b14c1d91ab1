"""The sizes that pages ask for are made by a job of the upload."""

import httpx2

from commerce.catalog.entities import Product
from commerce.media.jobs import make_derivatives
from core.jobs.registry import REGISTRY
from core.resources import Resources
from tests.factories.images import an_image
from tests.factories.jobs import jobs_of, run_jobs
from tests.public_api.media.conftest import Upload, path_of

_AVIF = {"Accept": "image/avif,image/webp,*/*;q=0.8"}


async def stored_objects(resources: Resources) -> dict[str, object]:
    return {each.key.rpartition("/")[2]: each.modified async for each in resources.objects.list("media")}


async def test_usual_sizes_are_there_before_anybody_asks(
    client: httpx2.AsyncClient, upload: Upload, resources: Resources
) -> None:
    image = await upload("tent", an_image("JPEG", (1000, 500)))

    before = await stored_objects(resources)
    await run_jobs(resources)
    after = await stored_objects(resources)
    shown = await client.get(f"{path_of(image)}?w=320", headers=_AVIF)

    assert set(before) == {"original"}
    # 1600 is more than it has: that is made in its own size.
    assert set(after) - {"original"} == {
        f"{size}-inside-1.{kind}" for size in ("320x160", "800x400", "1000x500") for kind in ("avif", "webp", "jpeg")
    }
    assert shown.headers["content-type"] == "image/avif"
    assert await stored_objects(resources) == after  # and was not made again
    (job,) = await jobs_of(resources, REGISTRY.jobs[make_derivatives.name])
    assert (job.state, job.result) == ("succeeded", {"derivatives": 9})


async def test_image_that_is_gone_needs_no_sizes(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], upload: Upload, resources: Resources
) -> None:
    await upload("tent", an_image("JPEG", (100, 50)))
    await client.patch(f"/public/v1/products/{shop['tent'].head.id}", json={"images": []}, headers=writer)

    await run_jobs(resources)

    assert set(await stored_objects(resources)) == {"original"}
    (job,) = await jobs_of(resources, REGISTRY.jobs[make_derivatives.name])
    assert (job.state, job.result) == ("succeeded", {"derivatives": 0})
