"""Images that were uploaded to us, known by their address: a product shows them as it shows any other image."""

import re

ADDRESS = "/public/v1/images/"
_URL = re.compile(rf"https?://[^?#]+{ADDRESS}(img_[0-9a-hjkmnp-tv-z]{{26}})(?:[?#].*)?")


def uploaded_id(url: str) -> str | None:
    """The id of the image that the address leads to; None for an image that lives elsewhere."""
    if f"{ADDRESS}img_" not in url:  # as nearly all, of which an import has a hundred thousand
        return None
    match = _URL.fullmatch(url)
    return match[1] if match else None
