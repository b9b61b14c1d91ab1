"""What is told from a file's structure alone: no bytes make it fail in another way than by refusing."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from commerce.media.pixels import inspect
from commerce.media.sniffing import Sniffed, sniff
from core.workers.program import Refused
from tests.factories.images import an_image, encoded, opened

KINDS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
CODES = {"unsupported_image", "image_damaged", "image_too_large", "image_too_narrow", "ambiguous_image"}
SMALL = {kind: an_image(kind, (24, 16)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (33, 1001)])
def test_size_is_read_as_pillow_reads_it(kind: str, size: tuple[int, int]) -> None:
    data = an_image(kind, size)

    assert sniff(data) == Sniffed(f"image/{kind.lower()}", *size)
    assert Image.open(io.BytesIO(data)).size == size


@pytest.mark.parametrize(
    "data",
    [
        an_image("JPEG", progressive=True),
        an_image("JPEG", mode="CMYK"),
        an_image("JPEG", restart_marker_rows=1),
        encoded(opened(an_image()), "MPO", save_all=True, append_images=[opened(an_image(size=(320, 240)))]),
        an_image() + bytes(64),
        an_image("PNG", mode="P"),
        an_image("PNG", save_all=True, append_images=[opened(an_image())]),
        an_image("GIF", save_all=True, append_images=[opened(an_image("PNG")).rotate(90)]),
        an_image("WEBP", lossless=True),
        an_image("WEBP", save_all=True, append_images=[opened(an_image()).rotate(90)]),
        an_image("AVIF", save_all=True, append_images=[opened(an_image()).rotate(90)]),
    ],
)
def test_ordinary_files_of_every_kind_are_taken(data: bytes) -> None:
    assert (sniff(data).width, sniff(data).height) == (640, 480)


def outcome(data: bytes) -> str:
    try:
        sniffed = sniff(data)
    except Refused as refused:
        return refused.code
    return "taken" if sniffed.width * sniffed.height <= 40_000_000 else "too large"


@given(st.sampled_from(KINDS), st.data())
def test_damage_anywhere_is_refused_or_harmless(kind: str, data: st.DataObject) -> None:
    file = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 5))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))

    assert outcome(bytes(file[: data.draw(st.integers(0, len(file)))])) in {*CODES, "taken"}


@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF0000WEBP", b"\0\0\0\x18ftypavif"]),
    st.binary(),
)
def test_anything_after_a_right_beginning_is_refused(beginning: bytes, rest: bytes) -> None:
    with pytest.raises(Refused) as refused:
        sniff(beginning + rest)

    assert refused.value.code in CODES


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_where_a_file_may_end_is_damage(kind: str) -> None:
    file = SMALL[kind]

    for length in range(12, len(file)):
        with pytest.raises(Refused):
            inspect(file[:length])
