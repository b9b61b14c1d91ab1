"""How large a derivative becomes. Pure. Nothing is ever made larger than the image that was uploaded."""

from dataclasses import dataclass
from typing import Literal

Fit = Literal["inside", "cover", "contain"]
MAX_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """The derivative's own size, and in it that of the picture: smaller where `contain` leaves a margin."""

    width: int
    height: int
    picture: tuple[int, int]
    fit: Fit


def box_of(image: tuple[int, int], width: int | None, height: int | None, fit: Fit) -> Box:
    """`inside`: as large as fits, nothing cut off. `cover`: that shape exactly, what is over is cut off evenly.
    `contain`: that size exactly, with a margin where the shapes differ. One side alone leaves the shape as it is.
    """
    if width is None or height is None or fit == "inside":
        size = _within(image, width or MAX_SIZE, height or MAX_SIZE)
        return Box(*size, size, "inside")
    if fit == "contain":
        return Box(width, height, _within(image, width, height), "contain")
    scale = min(1.0, image[0] / width, image[1] / height)
    size = (_pixels(width * scale), _pixels(height * scale))
    return Box(*size, size, "cover")


def _within(image: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, width / image[0], height / image[1])
    return _pixels(image[0] * scale), _pixels(image[1] * scale)


def _pixels(size: float) -> int:
    return max(1, round(size))
