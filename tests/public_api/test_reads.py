"""What is asked most takes the short way to its arguments."""

import pytest
from fastapi.routing import iter_route_contexts

from core.settings import Settings
from core.web.audience import mounted_apps
from core.web.reads import read_handler
from public_api.app import create_public_app

READS = {
    "v1": {"/products", "/products/{id_or_handle}", "/categories", "/orders", "/orders/{order_id}"},
    "v2": {"/products"},
}


@pytest.mark.parametrize("version", list(READS))
def test_reads_of_the_shop_take_the_short_way(settings: Settings, version: str) -> None:
    (app,) = [each for each in mounted_apps(create_public_app(settings)) if each.version == version]

    short = {context.path_format for context in iter_route_contexts(app.router.routes) if _is_short(context)}

    assert READS[version] <= short


def _is_short(context: object) -> bool:
    return bool(getattr(context, "methods", None)) and read_handler(context) is not None  # type: ignore[arg-type]
