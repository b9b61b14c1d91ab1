"""Addresses and hosts that are meant to lead elsewhere."""

import pytest

from tests.gateway.hostile.conftest import Server, ask, request, status

ELSEWHERE = [
    b"/static/../pyproject.toml",
    b"/static/../../etc/passwd",
    b"/static/%2e%2e/%2e%2e/etc/passwd",
    b"/static/..%2f..%2fetc%2fpasswd",
    b"/static/%252e%252e%252fetc%252fpasswd",
    b"/static/..\\..\\etc\\passwd",
    b"/static/..%5c..%5cetc%5cpasswd",
    b"/static//etc/passwd",
    b"/static/portico.css%00.png",
    b"/static/%c0%ae%c0%ae/etc/passwd",
    b"/static/" + b"../" * 1_000 + b"etc/passwd",
]


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_no_address_leads_out_of_the_static_files(server: Server, path: bytes) -> None:
    answer = await ask(server.port, request(path, b"Connection: close"))

    assert status(answer) in (400, 404)
    assert b"root:" not in answer
    assert b"[project]" not in answer


@pytest.mark.parametrize("path", [b"/%ff%fe", b"/public/v1/products/%ff", b"/public/v1/products?q=%ff", b"/\xff\xfe"])
async def test_address_that_is_no_utf_8_is_no_failure(server: Server, path: bytes) -> None:
    answer = await ask(server.port, request(path, b"Connection: close"))

    assert status(answer) in (200, 400, 404, 422)


@pytest.mark.parametrize("host", [b"evil.test", b"evil.test:80@shop.test", b"evil.test/path?", b"<script>evil.test"])
@pytest.mark.parametrize("path", [b"/", b"/public/v1/products", b"/public/v1/products/nothing", b"/public/docs"])
async def test_nobody_is_shown_the_host_that_another_has_named(server: Server, path: bytes, host: bytes) -> None:
    named = await ask(server.port, request(path, b"Connection: close", host=host))
    others = await ask(server.port, request(path, b"Connection: close"))

    assert b"<script>evil" not in named
    assert b"evil.test" not in others
