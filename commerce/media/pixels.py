"""Looking at images and resizing them with Pillow. Runs in a worker alone: codecs over bytes of strangers."""

import io
from contextlib import suppress
from typing import Any

from PIL import Image, ImageCms, ImageOps

from commerce.media.sniffing import check_size, sniff
from core.workers.program import Answer, Refused, serve

MEMORY_BYTES = 1024 * 1024 * 1024  # 40 megapixels take 160 MB, and WebP's decoder holds them four times
Crop = tuple[float, float, float, float]
_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
# Of each format that is written. AVIF at speed 8 takes a third of the time of the default 6, and 5 % more bytes.
_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 82, "progressive": True, "optimize": True},
    "png": {"compress_level": 6},
    "webp": {"quality": 80, "method": 4},
    "avif": {"quality": 60, "speed": 8, "max_threads": 1},
}
_ORIENTATION = 0x0112  # of Exif
_TRANSPOSED = (5, 6, 7, 8)  # orientations that lie on their side
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def answer(fields: dict[str, Any], body: bytes) -> Answer:
    return inspect(body) if fields["do"] == "inspect" else derive(fields, body)


def inspect(data: bytes) -> Answer:
    """Media type, size as it is to be shown, and whether anything shines through. Decodes it all, to find damage.

    Raises Refused, as `sniff` does.
    """
    sniffed = sniff(data)
    try:
        image = _open(data, sniffed.media_type)
        check_size(*image.size)
        image.load()
        turned = _orientation(image) in _TRANSPOSED
        transparent = _is_transparent(image)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # codecs raise whatever their input makes them raise
        raise Refused("image_damaged", "the image cannot be decoded") from error
    width, height = reversed(image.size) if turned else image.size
    found = {"media_type": sniffed.media_type, "width": width, "height": height, "transparent": transparent}
    return found, b""


def derive(fields: dict[str, Any], data: bytes) -> Answer:
    """The image upright, in the size of the box, without any metadata, in sRGB."""
    # The source is let go before an encoder wants memory of its own.
    upright = _smaller(fields, data)
    if fields["fit"] == "contain":
        upright = _on_canvas(upright, (fields["width"], fields["height"]))
    return {}, _encoded(upright, fields["format"])


def _smaller(fields: dict[str, Any], data: bytes) -> Image.Image:
    image = _open(data, fields["media_type"])
    orientation = _orientation(image)
    picture = _turned(fields["picture"], orientation in _TRANSPOSED)
    crop = _crop(image.size, picture) if fields["fit"] == "cover" else (0.0, 0.0, *image.size)
    if fields["media_type"] == "image/jpeg":
        crop = _draft(image, crop, picture)
    profile = image.info.get("icc_profile")
    small = _resized(image, picture, crop)
    return _upright(_in_srgb(small, profile), orientation)


def _open(data: bytes, media_type: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[_FORMATS[media_type]])


def _orientation(image: Image.Image) -> int:
    """What it says; upright where that cannot be read."""
    with suppress(Exception):
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _is_transparent(image: Image.Image) -> bool:
    if image.mode in ("RGBA", "LA"):
        return image.getchannel("A").getextrema() != (255, 255)
    return image.has_transparency_data


def _turned(size: list[int], turned: bool) -> tuple[int, int]:
    return (size[1], size[0]) if turned else (size[0], size[1])


def _crop(size: tuple[int, int], target: tuple[int, int]) -> Crop:
    """The largest part in the middle that has the target's shape."""
    scale = min(size[0] / target[0], size[1] / target[1])
    width, height = target[0] * scale, target[1] * scale
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height


def _draft(image: Image.Image, crop: Crop, target: tuple[int, int]) -> Crop:
    """Lets the JPEG decoder make it smaller by itself, to twice what is needed; the crop in the new measure."""
    before = image.size
    share = 2 * max(target[0] / (crop[2] - crop[0]), target[1] / (crop[3] - crop[1]))
    image.draft(None, (int(before[0] * share) + 1, int(before[1] * share) + 1))
    across, down = image.size[0] / before[0], image.size[1] / before[1]
    return crop[0] * across, crop[1] * down, crop[2] * across, crop[3] * down


def _resized(image: Image.Image, size: tuple[int, int], crop: Crop) -> Image.Image:
    if image.mode in _DEEP:
        image = _eight_bits(image)
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    bounds = (max(0.0, crop[0]), max(0.0, crop[1]), min(crop[2], image.size[0]), min(crop[3], image.size[1]))
    return image.resize(size, Image.Resampling.LANCZOS, box=bounds, reducing_gap=3.0)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as PNG has it; Pillow's own conversion of the wide modes cuts off instead of scaling."""
    return image.convert("I").point(lambda value: value / 256).convert("L")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    wanted = "RGBA" if image.mode in ("LA", "RGBA") else "RGB"
    if profile is not None and image.mode in ("RGB", "RGBA", "CMYK"):
        # A broken profile is none.
        with suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=wanted)
            return converted or image
    return image.convert(wanted)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Without anything else that the file said: encoders write what they find in `info`."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    image.info = {"exif": exif.tobytes()}
    return ImageOps.exif_transpose(image)


def _on_canvas(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """In the middle of a transparent sheet."""
    canvas = Image.new("RGBA", size)
    canvas.paste(image, ((size[0] - image.size[0]) // 2, (size[1] - image.size[1]) // 2))
    return canvas


def _encoded(image: Image.Image, kind: str) -> bytes:
    if kind == "jpeg" and image.mode == "RGBA":
        sheet = Image.new("RGB", image.size, "white")
        sheet.paste(image, mask=image.getchannel("A"))
        image = sheet
    file = io.BytesIO()
    image.save(file, format=kind.upper(), **_OPTIONS[kind])
    return file.getvalue()


if __name__ == "__main__":
    Image.preinit()
    serve(answer, memory_bytes=MEMORY_BYTES)
