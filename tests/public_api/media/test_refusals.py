"""Files that are not what they should be: each is refused with its code, in little memory, and leaves nothing."""

import asyncio
from collections.abc import Callable

import httpx2
import psutil
import pytest

from commerce.catalog.entities import Product
from commerce.media.program import IMAGES
from core.resources import Resources
from tests.factories.images import a_bomb, a_chunk, an_image
from tests.fixtures.probes import read_error
from tests.public_api.media.conftest import images_of
from tests.public_api.media.test_uploading import kept

JPEG = an_image()
PNG = an_image("PNG")
PAGE = b"<html><script>alert(document.domain)</script></html>"
ARCHIVE = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)" width="10" height="10"/>'


def broken_pixels() -> bytes:
    """Whole as a file, but its pixels are no deflate stream."""
    start, end = PNG.index(b"IDAT") - 4, PNG.index(b"IEND") - 4
    return PNG[:start] + a_chunk(b"IDAT", b"\xff" * 500) + PNG[end:]


def gif_and_script() -> bytes:
    """A GIF whose size reads as the beginning of a comment in JavaScript."""
    return b"GIF89a/*" + an_image("GIF")[8:] + b"*/=1;alert(1)"


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb of 400 megapixels": (lambda: a_bomb(20_000, 20_000), "image_too_large"),
    "bomb within the sides": (lambda: a_bomb(11_000, 11_000), "image_too_large"),
    "bomb that is cut short": (lambda: a_bomb(20_000, 20_000)[:-100], "image_too_large"),
    "1 x 50,000": (lambda: a_bomb(1, 50_000), "image_too_large"),
    "50,000 x 1": (lambda: a_bomb(50_000, 1), "image_too_large"),
    "1 x 12,000": (lambda: a_bomb(1, 12_000), "image_too_narrow"),
    "no size": (lambda: a_bomb(0, 0), "image_damaged"),
    "SVG": (lambda: SVG, "unsupported_image"),
    "SVG with a prologue": (lambda: b'<?xml version="1.0"?>' + SVG, "unsupported_image"),
    "page": (lambda: PAGE, "unsupported_image"),
    "PDF": (lambda: b"%PDF-1.7\n", "unsupported_image"),
    "BMP": (lambda: an_image("BMP"), "unsupported_image"),
    "TIFF": (lambda: an_image("TIFF"), "unsupported_image"),
    "nothing": (lambda: b"", "unsupported_image"),
    "beginning of a JPEG": (lambda: b"\xff\xd8\xff", "image_damaged"),
    "beginning of a PNG": (lambda: PNG[:8], "image_damaged"),
    "JPEG and page": (lambda: JPEG + PAGE, "ambiguous_image"),
    "JPEG and archive": (lambda: JPEG + ARCHIVE, "ambiguous_image"),
    "JPEG with a page in a comment": (lambda: an_image("JPEG", comment=PAGE), "ambiguous_image"),
    "PNG and archive": (lambda: PNG + ARCHIVE, "ambiguous_image"),
    "PNG with a page in a note": (lambda: PNG[:33] + a_chunk(b"tEXt", b"a\0" + PAGE) + PNG[33:], "ambiguous_image"),
    "GIF and script": (gif_and_script, "ambiguous_image"),
    "WebP and archive": (lambda: an_image("WEBP") + ARCHIVE, "ambiguous_image"),
    "AVIF and page": (lambda: an_image("AVIF") + PAGE, "ambiguous_image"),
    "JPEG that is cut short": (lambda: JPEG[:-40], "image_damaged"),
    "JPEG of which half is left": (lambda: JPEG[: len(JPEG) // 2], "image_damaged"),
    "PNG that is cut short": (lambda: PNG[:-40], "image_damaged"),
    "GIF that is cut short": (lambda: an_image("GIF")[:-40], "image_damaged"),
    "WebP that is cut short": (lambda: an_image("WEBP")[:-40], "image_damaged"),
    "AVIF that is cut short": (lambda: an_image("AVIF")[:-40], "image_damaged"),
    "broken pixels": (broken_pixels, "image_damaged"),
}


@pytest.mark.parametrize("name", list(FILES))
async def test_file_is_refused_with_its_code(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources, name: str
) -> None:
    make, code = FILES[name]
    before = await kept(resources)

    response = await client.post(
        images_of(shop["tent"]), files={"file": ("photo.jpg", make(), "application/octet-stream")}, headers=writer
    )

    assert (response.status_code, read_error("v1", response).code) == (422, code), response.text
    assert [(fault["pointer"], fault["code"]) for fault in response.json()["errors"]] == [("/file", code)]
    assert await kept(resources) == before


@pytest.mark.parametrize("declared", ["image/png", "image/svg+xml", "image/heic"])
async def test_type_that_the_bytes_do_not_bear_out_is_refused(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources, declared: str
) -> None:
    before = await kept(resources)
    path = images_of(shop["tent"])

    raw = await client.post(path, content=JPEG, headers={**writer, "Content-Type": declared})
    form = await client.post(path, files={"file": ("a", JPEG, declared)}, headers=writer)

    for response in (raw, form):
        assert (response.status_code, read_error("v1", response).code) == (422, "image_type_mismatch")
    assert await kept(resources) == before


@pytest.mark.parametrize("declared", ["image/jpg", "image/jpeg; q=1", "IMAGE/JPEG", "application/octet-stream"])
async def test_name_and_type_do_not_decide(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], declared: str
) -> None:
    response = await client.post(images_of(shop["tent"]), files={"file": ("run.svg", JPEG, declared)}, headers=writer)

    assert response.status_code == 201


async def test_hostile_files_take_little_memory(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    """The worker's highest mark, by the kernel's count; decoded, the bomb would take 400 MB at the least."""
    bombs = [a_bomb(20_000, 20_000), a_bomb(11_900, 11_900), a_bomb(1, 50_000)]

    for bomb in bombs * 2:
        response = await client.post(images_of(shop["tent"]), files={"file": bomb}, headers=writer)
        assert read_error("v1", response).code == "image_too_large"

    pids = resources.workers.pool(IMAGES).pids
    assert len(pids) == 1
    assert highest_memory(pids[0]) < 60_000_000


async def test_largest_image_that_is_taken_stays_within_the_bound(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product], resources: Resources
) -> None:
    own = psutil.Process().memory_info().rss

    response = await client.post(images_of(shop["tent"]), files={"file": a_bomb(8000, 5000)}, headers=writer)

    assert response.status_code == 201
    (pid,) = resources.workers.pool(IMAGES).pids
    assert highest_memory(pid) < 600_000_000
    await asyncio.sleep(0.1)
    assert psutil.Process(pid).memory_info().rss < 100_000_000
    assert psutil.Process().memory_info().rss - own < 60_000_000


def highest_memory(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
