"""The client that a request names."""

from typing import Any

import pytest

from core.context import (
    NAMELESS,
    Client,
    RequestContext,
    client_named,
    current_client,
    enter_request,
    leave_request,
)


@pytest.mark.parametrize(
    ("name", "version", "client"),
    [
        ("web", "1.4.0", Client("web", "1.4.0")),
        ("@shop/web-app", "2026.11+build:5", Client("@shop/web-app", "2026.11+build:5")),
        ("My App", "v 1", Client("My App", "v 1")),
        ("a" * 64, "1" * 64, Client("a" * 64, "1" * 64)),
        ("web", None, Client("web")),
        ("web", "", Client("web")),
        ("web", "1\n2", Client("web")),
        ("web", "1" * 65, Client("web")),
        ("web", 1, Client("web")),
    ],
)
def test_client_is_named_by_short_plain_text(name: Any, version: Any, client: Client) -> None:
    assert client_named(name, version) == client


@pytest.mark.parametrize(
    "name",
    [None, "", " ", " web", "web ", "a" * 65, "wéb", "web\n", "a,b", "*", "\x00", "web\ud800", 7, ["web"]],
)
def test_what_is_no_name_names_nobody(name: Any) -> None:
    assert client_named(name, "1.4.0") is NAMELESS


def test_current_client_is_the_requests_and_nameless_outside_of_any() -> None:
    mark = enter_request(RequestContext("req_1", "a" * 32, "b" * 16, sampled=True, client=Client("web", "1.4.0")))
    inside = current_client()
    leave_request(mark)

    assert inside == Client("web", "1.4.0")
    assert current_client() is NAMELESS
