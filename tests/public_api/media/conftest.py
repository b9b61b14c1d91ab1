"""A shop with an image or two in it."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from commerce.catalog.entities import Product
from tests.factories.images import an_image

Upload = Callable[..., Awaitable[dict[str, Any]]]


def images_of(product: Product) -> str:
    return f"/public/v1/products/{product.head.id}/images"


def path_of(image: dict[str, Any]) -> str:
    """Its address, as a path of this server."""
    url: str = image["url"]
    return url.removeprefix("http://portico.test")


@pytest.fixture
def upload(client: httpx2.AsyncClient, writer: dict[str, str], shop: dict[str, Product]) -> Upload:
    """`upload("tent", data)`: the image that it became."""

    async def upload(handle: str, data: bytes | None = None) -> dict[str, Any]:
        content = data if data is not None else an_image()
        headers = {**writer, "Content-Type": "application/octet-stream"}
        response = await client.post(images_of(shop[handle]), content=content, headers=headers)
        assert response.status_code == 201, response.text
        image: dict[str, Any] = response.json()
        return image

    return upload
