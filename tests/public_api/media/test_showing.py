"""Images in other sizes and formats: who sees them, how they are kept, and what is left out of them."""

import dataclasses
import io
from collections.abc import AsyncIterator

import httpx2
import pytest
from PIL import Image, ImageCms

from commerce.catalog.entities import Product
from commerce.media import derivatives
from core.objects import ObjectBody, Objects
from core.resources import Resources
from tests.factories.images import an_image, encoded, opened
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served
from tests.fixtures.probes import read_error
from tests.public_api.catalog.products import PRODUCTS
from tests.public_api.media.conftest import Upload, path_of

EVERYTHING = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"
FOREVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({}, (640, 480)),
        ({"w": 320}, (320, 240)),
        ({"h": 100}, (133, 100)),
        ({"w": 1}, (1, 1)),
        ({"w": 200, "h": 200}, (200, 150)),
        ({"w": 200, "h": 200, "fit": "inside"}, (200, 150)),
        ({"w": 200, "h": 200, "fit": "cover"}, (200, 200)),
        ({"w": 200, "h": 200, "fit": "contain"}, (200, 200)),
        ({"w": 4096, "h": 4096}, (640, 480)),
        ({"w": 1000, "h": 1000, "fit": "cover"}, (480, 480)),
        ({"w": 1000, "h": 500, "fit": "contain"}, (1000, 500)),
        ({"w": 4096, "fit": "cover"}, (640, 480)),
    ],
)
async def test_size_is_what_was_asked_for_and_never_larger(
    client: httpx2.AsyncClient, upload: Upload, query: dict[str, str | int], size: tuple[int, int]
) -> None:
    image = await upload("tent")

    response = await client.get(path_of(image), params=query)

    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert opened(response.content).size == size


async def test_fit_says_what_is_cut_off_and_what_is_left_blank(client: httpx2.AsyncClient, upload: Upload) -> None:
    wide = Image.new("RGB", (400, 100), "lime")
    wide.paste(opened(an_image("PNG", (200, 100))), (100, 0))
    image = await upload("tent", encoded(wide, "PNG"))

    async def pixels(fit: str) -> Image.Image:
        query: dict[str, str | int] = {"w": 100, "h": 100, "fit": fit, "format": "png"}
        return opened((await client.get(path_of(image), params=query)).content).convert("RGBA")

    cover, contain = await pixels("cover"), await pixels("contain")

    red, blue, lime = (255, 0, 0, 255), (0, 0, 255, 255), (0, 255, 0, 255)
    assert [cover.getpixel((x, y)) for x, y in ((5, 5), (95, 95))] == [red, blue]
    assert [contain.getpixel((x, y)) for x, y in ((5, 50), (95, 50), (50, 5))] == [lime, lime, (0, 0, 0, 0)]


@pytest.mark.parametrize("query", [{"w": 0}, {"w": 4097}, {"h": "a"}, {"fit": "fill"}, {"format": "gif"}, {"x": 1}])
async def test_other_questions_are_refused(client: httpx2.AsyncClient, upload: Upload, query: dict[str, str]) -> None:
    image = await upload("tent")

    response = await client.get(path_of(image), params=query)

    assert (response.status_code, read_error("v1", response).code) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == f"/query/{next(iter(query))}"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("wanted", ["jpeg", "png", "webp", "avif"])
async def test_every_format_is_read_and_written(
    client: httpx2.AsyncClient, upload: Upload, kind: str, wanted: str
) -> None:
    image = await upload("tent", an_image(kind))

    response = await client.get(path_of(image), params={"w": 64, "format": wanted})

    assert response.headers["content-type"] == f"image/{wanted}"
    assert "vary" not in response.headers or "Accept" not in response.headers["vary"].split(", ")
    picture = opened(response.content)
    assert (picture.format, picture.size) == (wanted.upper(), (64, 48))
    red, _, blue = picture.convert("RGB").getpixel((8, 24))  # type: ignore[misc]
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
async def test_every_kind_of_pixel_is_shown_as_it_looks(client: httpx2.AsyncClient, upload: Upload, mode: str) -> None:
    grey = Image.new("I;16", (64, 48), 0x8000) if mode == "I;16" else Image.new("L", (64, 48), 128).convert(mode)
    image = await upload("tent", encoded(grey, "JPEG" if mode == "CMYK" else "PNG"))

    picture = opened((await client.get(path_of(image), params={"w": 8, "format": "png"})).content).convert("RGB")

    assert picture.size == (8, 6)
    average = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert all(abs(value - 128) <= 40 for value in average)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("accept", "mode", "answered"),
    [
        (EVERYTHING, "RGB", "image/avif"),
        ("image/webp,*/*", "RGB", "image/webp"),
        ("image/avif;q=0,image/webp", "RGB", "image/webp"),
        ("*/*", "RGB", "image/jpeg"),
        ("", "RGB", "image/jpeg"),
        ("image/*", "RGBA", "image/jpeg"),
        ("*/*", "translucent", "image/png"),
        ("image/webp", "translucent", "image/webp"),
    ],
)
async def test_format_is_the_best_that_the_client_names(
    client: httpx2.AsyncClient, upload: Upload, accept: str, mode: str, answered: str
) -> None:
    source = Image.new("RGBA", (64, 48), (0, 255, 0, 128 if mode == "translucent" else 255))
    image = await upload("tent", encoded(source, "PNG"))

    response = await client.get(path_of(image), params={"format": "auto"}, headers={"Accept": accept})

    assert response.headers["content-type"] == answered
    assert "Accept" in response.headers["vary"].split(", ")


async def test_large_pictures_are_not_answered_in_avif_unless_it_is_asked_for(
    client: httpx2.AsyncClient, upload: Upload
) -> None:
    image = await upload("tent", an_image(size=(2000, 1500)))

    large = await client.get(path_of(image), headers={"Accept": EVERYTHING})
    small = await client.get(path_of(image), params={"w": 1000}, headers={"Accept": EVERYTHING})

    assert (large.headers["content-type"], small.headers["content-type"]) == ("image/webp", "image/avif")


async def test_picture_is_upright_and_its_size_is_the_upright_one(client: httpx2.AsyncClient, upload: Upload) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: to be turned by a quarter
    image = await upload("tent", an_image(size=(200, 100), exif=exif, quality=95))

    response = await client.get(path_of(image), params={"w": 50, "format": "png"})

    picture = opened(response.content).convert("RGB")
    assert (image["width"], image["height"], picture.size) == (100, 200, (50, 100))
    top, bottom = picture.getpixel((25, 10)), picture.getpixel((25, 90))
    assert top[0] > 200 > top[2]  # type: ignore[index]
    assert bottom[2] > 200 > bottom[0]  # type: ignore[index]


@pytest.mark.parametrize("wanted", ["jpeg", "png", "webp", "avif"])
async def test_no_metadata_is_given_on(client: httpx2.AsyncClient, upload: Upload, wanted: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = an_image(exif=exif, icc_profile=profile, comment=b"Secret Place", xmp=b"<x:xmpmeta>Secret Name</x:xmpmeta>")
    assert data.count(b"Secret") == 3
    image = await upload("tent", data)

    response = await client.get(path_of(image), params={"format": wanted})

    assert b"Secret" not in response.content
    picture = opened(response.content)
    assert dict(picture.getexif()) == {}
    assert {"exif", "icc_profile", "xmp", "comment"} & picture.info.keys() == set()


async def test_colours_of_a_wide_profile_are_brought_home(client: httpx2.AsyncClient, upload: Upload) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # a profile that does not fit: left out
    image = await upload("tent", encoded(Image.new("RGB", (8, 8), (200, 10, 10)), "PNG", icc_profile=lab))

    response = await client.get(path_of(image), params={"format": "png"})

    assert opened(response.content).convert("RGB").getpixel((4, 4)) == (200, 10, 10)


async def test_answer_is_immutable_and_its_tag_is_strong(client: httpx2.AsyncClient, upload: Upload) -> None:
    path = path_of(await upload("tent"))

    first = await client.get(path, params={"w": 100})
    again = await client.get(path, params={"w": 100}, headers={"If-None-Match": first.headers["etag"]})
    weak = await client.get(path, params={"w": 100}, headers={"If-None-Match": f'W/{first.headers["etag"]}, "x"'})
    other = await client.get(path, params={"w": 101}, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == FOREVER
    assert first.headers["etag"].startswith('"')
    assert first.headers["content-length"] == str(len(first.content))
    assert "content-encoding" not in first.headers
    assert first.headers["x-content-type-options"] == "nosniff"
    for answer in (again, weak):
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (first.headers["etag"], FOREVER)
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


async def test_head_says_what_get_would(client: httpx2.AsyncClient, upload: Upload) -> None:
    path = path_of(await upload("tent"))

    head, get = await client.head(path), await client.get(path)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "cache-control", "vary"):
        assert head.headers[name] == get.headers[name]


async def test_tag_is_one_for_all_ways_to_ask_for_the_same(client: httpx2.AsyncClient, upload: Upload) -> None:
    path = path_of(await upload("tent"))

    queries: list[dict[str, str | int]] = [
        {},
        {"w": 640},
        {"w": 2000, "h": 3000},
        {"format": "jpeg"},
        {"w": 700, "fit": "cover"},
    ]
    tags = {(await client.get(path, params=query)).headers["etag"] for query in queries}

    assert len(tags) == 1


async def test_image_is_seen_by_who_sees_a_product_that_shows_it(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], upload: Upload, resources: Resources
) -> None:
    image = await upload("rain-poncho")  # a draft
    path = path_of(image)
    reader = await key_with(resources, "catalog:read", "orders:read")

    for headers in ({}, reader):
        hidden = await client.get(path, headers=headers)
        assert (hidden.status_code, read_error("v1", hidden).code) == (404, "image_not_found")
    seen = await client.get(path, headers=writer)
    assert (seen.status_code, seen.headers["cache-control"]) == (200, "private, no-cache")
    copy = await client.patch(f"{PRODUCTS}/{shop['tent'].head.id}", json={"images": [image]}, headers=writer)
    assert copy.status_code == 200
    assert (await client.get(path)).headers["cache-control"] == FOREVER
    await client.patch(f"{PRODUCTS}/{shop['tent'].head.id}", json={"status": "archived"}, headers=writer)
    assert (await client.get(path)).status_code == 404


async def test_image_of_a_deleted_product_is_gone(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], upload: Upload
) -> None:
    image = await upload("tent")

    await client.delete(f"{PRODUCTS}/{shop['tent'].head.id}", headers=writer)

    assert (await client.get(path_of(image), headers=writer)).status_code == 404


@pytest.mark.parametrize("name", ["img_01jd0a3v5te8zr9k1m2n3p4q5r", "nothing", "%00", "img_%ff", "a" * 3000])
async def test_unknown_image_is_a_404(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.get(f"/public/v1/images/{name}")

    assert response.status_code == 404


async def test_image_that_lives_elsewhere_is_not_ours_to_show(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]
) -> None:
    elsewhere = {"url": "https://other.example.com/public/v1/images/img_01jd0a3v5te8zr9k1m2n3p4q5r"}
    product = f"{PRODUCTS}/{shop['tent'].head.id}"

    (image,) = (await client.patch(product, json={"images": [elsewhere]}, headers=writer)).json()["images"]

    for image_id in (image["id"], "img_01jd0a3v5te8zr9k1m2n3p4q5r"):
        assert (await client.get(f"/public/v1/images/{image_id}")).status_code == 404


class Counting:
    """A store that counts what is put."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.puts: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._objects, name)

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> None:
        self.puts.append(key)
        await self._objects.put(key, data)

    async def stream(self, key: str) -> ObjectBody:
        return await self._objects.stream(key)


@pytest.fixture
def counting(served: Served, resources: Resources) -> Counting:
    counting = Counting(resources.objects)
    served.state["resources"] = dataclasses.replace(resources, objects=counting)  # type: ignore[arg-type]
    return counting


async def test_derivative_is_made_once_and_kept(client: httpx2.AsyncClient, upload: Upload, counting: Counting) -> None:
    path = path_of(await upload("tent"))
    del counting.puts[:]

    bodies = {(await client.get(path, params={"w": 99})).content for _ in range(3)}

    assert len(bodies) == 1
    assert [key.rpartition("/")[2] for key in counting.puts] == ["99x74-inside-1.jpeg"]


async def test_nobody_fills_the_store_by_asking_for_every_size(
    client: httpx2.AsyncClient, upload: Upload, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derivatives, "MAX_KEPT", 3)
    path = path_of(await upload("tent"))
    del counting.puts[:]

    answers = [await client.get(path, params={"w": width}) for width in (*range(10, 16), 15)]

    assert [opened(answer.content).size[0] for answer in answers] == [10, 11, 12, 13, 14, 15, 15]
    assert answers[-1].content == answers[-2].content
    assert len(counting.puts) == 3


async def test_image_whose_file_is_lost_is_not_found(
    client: httpx2.AsyncClient, upload: Upload, resources: Resources
) -> None:
    image = await upload("tent")
    await resources.objects.delete(f"media/{image['id']}/original")

    response = await client.get(path_of(image))

    assert (response.status_code, read_error("v1", response).code) == (404, "image_not_found")


def test_encoders_say_the_same_each_time() -> None:
    """What the strong tag rests on."""
    from commerce.media.pixels import derive  # noqa: PLC0415  Pillow's part of the server runs in workers

    for wanted in ("jpeg", "png", "webp", "avif"):
        order = {"media_type": "image/jpeg", "width": 99, "height": 74, "picture": [99, 74], "fit": "inside"}
        made = {derive({**order, "format": wanted}, an_image())[1] for _ in range(3)}
        assert len(made) == 1
        assert Image.open(io.BytesIO(made.pop())).size == (99, 74)
