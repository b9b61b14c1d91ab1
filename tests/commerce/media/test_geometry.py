from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from commerce.media.geometry import MAX_SIZE, Fit, box_of

sides = st.integers(1, 12_000)
asked = st.none() | st.integers(1, MAX_SIZE)


@given(st.tuples(sides, sides), asked, asked, st.sampled_from(get_args(Fit)))
def test_box_is_never_empty_never_larger_than_was_asked_and_the_picture_never_larger_than_it_was(
    image: tuple[int, int], width: int | None, height: int | None, fit: Fit
) -> None:
    box = box_of(image, width, height, fit)

    assert 1 <= box.width <= (width or MAX_SIZE)
    assert 1 <= box.height <= (height or MAX_SIZE)
    assert all(1 <= side <= whole for side, whole in zip(box.picture, image, strict=True))
    assert box.picture[0] <= box.width
    assert box.picture[1] <= box.height


@given(st.tuples(sides, sides), st.integers(1, MAX_SIZE), st.integers(1, MAX_SIZE))
def test_inside_keeps_the_shape_and_cover_takes_the_one_that_was_asked_for(
    image: tuple[int, int], width: int, height: int
) -> None:
    inside = box_of(image, width, height, "inside")
    cover = box_of(image, width, height, "cover")

    # To the half pixel that rounding takes or gives.
    scale = min(1.0, width / image[0], height / image[1])
    assert abs(inside.width - max(1, image[0] * scale)) <= 0.5
    assert abs(inside.height - max(1, image[1] * scale)) <= 0.5
    if width <= image[0] and height <= image[1]:
        assert (cover.width, cover.height) == (width, height)
