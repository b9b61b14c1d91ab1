"""An upload becomes an image of its product, whole or not at all."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from commerce.audit.log import AuditRepository
from commerce.catalog.entities import Product
from commerce.media.models import MediaImageRow
from core.eventlog import EventRow
from core.resources import Resources
from core.settings import Settings
from tests.factories.images import an_image, opened
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, exchange
from tests.fixtures.probes import read_error
from tests.fixtures.processes import PORTICO, StartProcess
from tests.public_api.catalog.products import PRODUCTS, stored
from tests.public_api.media.conftest import Upload, images_of, path_of


async def kept(resources: Resources) -> tuple[Any, ...]:
    """All that a refused upload must leave as it was."""
    async with resources.database.read() as session:
        rows = (await session.execute(select(MediaImageRow.id))).all()
        events = (await session.execute(select(EventRow.position))).all()
    objects = sorted([each.key async for each in resources.objects.list()])
    return await stored(resources.database), rows, events, objects


async def test_image_in_a_form_becomes_the_last_image_of_its_product(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    data = an_image("PNG", (64, 48))
    product = f"{PRODUCTS}/{shop['tent'].head.id}"
    await client.patch(product, json={"images": [{"url": "https://images.example.com/a.jpg"}]}, headers=writer)

    created = await client.post(
        images_of(shop["tent"]), files={"file": ("x.bin", data)}, data={"alt": "Front"}, headers=writer
    )

    assert created.status_code == 201
    image = created.json()
    assert image == {
        "id": image["id"],
        "url": f"http://portico.test/public/v1/images/{image['id']}",
        "alt": "Front",
        "width": 64,
        "height": 48,
    }
    assert created.headers["location"] == image["url"]
    read = (await client.get(product)).json()
    assert [each["url"] for each in read["images"]] == ["https://images.example.com/a.jpg", image["url"]]
    assert read["images"][1] == image
    assert read["version"] == 3
    assert opened((await client.get(path_of(image))).content).size == (64, 48)


async def test_image_may_be_the_body_itself(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    data = an_image("WEBP")
    headers = {**writer, "Content-Type": "image/webp"}

    created = await client.post(images_of(shop["tent"]), params={"alt": "Side"}, content=data, headers=headers)

    assert (created.status_code, created.json()["alt"]) == (201, "Side")
    assert await resources.objects.get(f"media/{created.json()['id']}/original") == data


async def test_upload_is_audited_and_told_in_one_transaction(
    resources: Resources, upload: Upload, shop: dict[str, Product]
) -> None:
    product_id = shop["tent"].head.id

    image = await upload("tent")

    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=product_id)
        events = (await session.execute(select(EventRow.type, EventRow.data).order_by(EventRow.position))).all()
    assert (entries[0].action, entries[0].actor[:8]) == ("product.update", "api_key:")
    assert entries[0].before == {"images": []}
    assert entries[0].after is not None
    assert [each["id"] for each in entries[0].after["images"]] == [image["id"]]
    assert events[-1].type == "product.updated"
    assert (events[-1].data["id"], events[-1].data["version"]) == (product_id, 2)


async def test_upload_that_is_sent_again_with_its_key_is_done_once(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    headers = {**writer, "Idempotency-Key": "photo-1", "Content-Type": "image/jpeg"}

    answers = [await client.post(images_of(shop["tent"]), content=an_image(), headers=headers) for _ in range(2)]
    other = await client.post(images_of(shop["tent"]), content=an_image(size=(9, 9)), headers=headers)

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert (other.status_code, read_error("v1", other).code) == (422, "idempotency_key_reused")
    assert dict(await stored(resources.database))["tent"] == 2
    assert (await client.get(path_of(answers[1].json()))).status_code == 200


async def test_upload_to_a_version_that_has_passed_is_refused(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    for if_match, status in (('"7"', 412), ('"1"', 201)):
        headers = {**writer, "If-Match": if_match, "Content-Type": "image/jpeg"}
        response = await client.post(images_of(shop["tent"]), content=an_image(), headers=headers)
        assert response.status_code == status

    assert dict(await stored(resources.database))["tent"] == 2


@pytest.mark.parametrize(
    ("scopes", "status", "code"), [(None, 401, "unauthenticated"), (("catalog:read",), 403, "missing_scope")]
)
async def test_upload_needs_the_scope_for_writing(
    client: httpx2.AsyncClient,
    resources: Resources,
    shop: dict[str, Product],
    scopes: tuple[str, ...] | None,
    status: int,
    code: str,
) -> None:
    headers = await key_with(resources, *scopes) if scopes is not None else {}
    before = await kept(resources)

    response = await client.post(images_of(shop["tent"]), files={"file": an_image()}, headers=headers)

    assert (response.status_code, read_error("v1", response).code) == (status, code)
    assert await kept(resources) == before


async def test_upload_to_no_product_is_a_404_that_reads_no_body(
    client: httpx2.AsyncClient, writer: dict[str, str], resources: Resources
) -> None:
    before = await kept(resources)

    response = await client.post(f"{PRODUCTS}/prod_nothing/images", files={"file": an_image()}, headers=writer)

    assert (response.status_code, read_error("v1", response).code) == (404, "product_not_found")
    assert await kept(resources) == before
    assert resources.workers._pools == {}


async def test_form_without_a_file_and_bodies_of_other_types_are_refused(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    path, data = images_of(shop["tent"]), an_image()
    before = await kept(resources)

    async def refusal(**request: Any) -> tuple[int, str]:
        headers = {**writer, **request.pop("headers", {})}
        response = await client.post(path, headers=headers, **request)
        return response.status_code, read_error("v1", response).code

    assert await refusal(files={"image": data}) == (422, "invalid_request")
    assert await refusal(files=[("file", data), ("file", data)]) == (400, "bad_request")
    assert await refusal(json={}) == (415, "unsupported_media_type")
    assert await refusal(content=data, headers={"Content-Type": "text/html"}) == (415, "unsupported_media_type")
    assert await refusal(content=data) == (415, "unsupported_media_type")
    gzip = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}
    assert await refusal(content=data, headers=gzip) == (415, "unsupported_media_type")
    assert await kept(resources) == before


async def test_body_over_the_limit_is_refused_however_it_is_sent(
    served: Served, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    path = images_of(shop["tent"])
    headers = [("authorization", writer["Authorization"]), ("content-type", "image/jpeg")]
    before = await kept(resources)

    announced = await exchange(served, "POST", path, [*headers, ("content-length", str(21 * 1024**2))])
    grown = await exchange(served, "POST", path, headers, chunks=[bytes(1024 * 1024)] * 22)
    just = await exchange(served, "POST", path, headers, chunks=[*[bytes(1024 * 1024)] * 20, b"1"])
    elsewhere = await exchange(served, "POST", PRODUCTS, [*headers, ("content-length", str(3 * 1024**2))])

    assert [answer.status for answer in (announced, grown, just, elsewhere)] == [413] * 4
    assert await kept(resources) == before


async def test_image_is_taken_off_its_product_by_changing_the_product(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], upload: Upload
) -> None:
    product = f"{PRODUCTS}/{shop['tent'].head.id}"
    first, second = await upload("tent"), await upload("tent", an_image(size=(30, 20)))

    changed = await client.patch(product, json={"images": [second]}, headers=writer)

    assert (changed.status_code, changed.json()["images"]) == (200, [second])
    assert (await client.get(path_of(first))).status_code == 404
    assert (await client.get(path_of(second))).status_code == 200
    back = await client.patch(product, json={"images": [second, first]}, headers=writer)
    assert [each["url"] for each in back.json()["images"]] == [second["url"], first["url"]]
    for image in back.json()["images"]:
        assert (await client.get(path_of(image))).status_code == 200
        assert (await client.get(f"/public/v1/images/{image['id']}")).status_code == 200


async def test_export_with_uploaded_images_changes_nothing_when_it_is_imported(
    client: httpx2.AsyncClient, upload: Upload, settings: Settings, start: StartProcess
) -> None:
    image = await upload("tent")
    for kind in ("csv", "jsonl"):
        exported = (await client.get(f"{PRODUCTS}/export", params={"format": kind})).content
        assert image["url"].encode() in exported
        file = settings.data.data_dir / f"export.{kind}"
        file.write_bytes(exported)

        run = start(*PORTICO, "products", "import", str(file))

        assert run.wait(60) == 0, run.story
        assert "unchanged 4 failed 0" in run.stdout
    assert (await client.get(path_of(image))).status_code == 200
