"""What is refused about images. The codes are those that a worker refuses with, and every door shows them."""

from core.errors import FieldError, Invalid, NotFound


class ImageNotFound(NotFound):
    """No uploaded image has this id, or no product that you may see shows it."""

    code = "image_not_found"
    title = "Image not found"


class InvalidImage(Invalid):
    """The file cannot be taken as an image of a product. Nothing was kept."""

    code = "invalid_image"
    title = "Invalid image"


class UnsupportedImage(InvalidImage):
    """The file's bytes are no JPEG, PNG, WebP, GIF or AVIF image, whatever its name says. SVG is not taken."""

    code = "unsupported_image"
    title = "Unsupported image"


class ImageDamaged(InvalidImage):
    """The file is cut short, or cannot be decoded."""

    code = "image_damaged"
    title = "Damaged image"


class ImageTooLarge(InvalidImage):
    """The image has over 40 megapixels or over 12,000 pixels a side, or takes more memory than a worker has."""

    code = "image_too_large"
    title = "Image too large"


class ImageTooNarrow(InvalidImage):
    """One side of the image is more than 50 times as long as the other."""

    code = "image_too_narrow"
    title = "Image too narrow"


class AmbiguousImage(InvalidImage):
    """The file is an image and something else at once: a page, a program or an archive stands in it or after it."""

    code = "ambiguous_image"
    title = "Ambiguous image"


class ImageTypeMismatch(InvalidImage):
    """The file's bytes are an image of another type than its Content-Type says."""

    code = "image_type_mismatch"
    title = "Image type mismatch"


REFUSALS: tuple[type[InvalidImage], ...] = (
    UnsupportedImage,
    ImageDamaged,
    ImageTooLarge,
    ImageTooNarrow,
    AmbiguousImage,
    ImageTypeMismatch,
)
_BY_CODE = {kind.code: kind for kind in REFUSALS} | {"memory": ImageTooLarge}


def refusal(code: str, detail: str) -> InvalidImage:
    """The error of a worker's code."""
    kind = _BY_CODE[code]
    return kind(detail, errors=(FieldError("/file", kind.code, detail),))
