"""How answers are framed on the wire: what a server makes of them, which an application alone cannot tell."""

import re
import socket
from urllib.parse import urlsplit

from tests.fixtures.processes import PORTICO, Process, StartProcess

READY = r"Portico is ready: (http://127\.0\.0\.1:\d+)"


def connected(process: Process) -> socket.socket:
    address = urlsplit(process.until(READY)[1])
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection((address.hostname, address.port), timeout=10)


def request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def received(connection: socket.socket) -> bytes:
    """All until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_answer_to_head_ends_with_its_headers(start: StartProcess) -> None:
    process = start(*PORTICO, "serve", "--demo", "--port", "0")
    paths = [
        "/",
        "/healthz",
        "/public/v1/products",
        "/public/v1/products/export",
        "/public/v1/nothing",
        "/static/portico.css",
    ]

    with connected(process) as connection:
        for path in paths:
            connection.sendall(request("HEAD", path))
        connection.sendall(request("GET", "/healthz", "Connection: close"))
        answers = received(connection)

    heads, _, last = answers.rpartition(b"HTTP/1.1 ")
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", heads, re.MULTILINE)
    assert statuses == [b"200", b"200", b"200", b"200", b"404", b"200"]
    assert heads.count(b"\r\n\r\nHTTP/1.1 ") == len(paths) - 1
    assert heads.endswith(b"\r\n\r\n")
    assert b"transfer-encoding" not in heads
    assert last.endswith(b'\r\n\r\n{"status":"ok"}')
    assert "internal_error" not in process.stdout + process.stderr


def test_range_goes_over_the_wire_as_it_was_asked_for(start: StartProcess) -> None:
    process = start(*PORTICO, "serve", "--no-demo", "--port", "0")

    with connected(process) as connection:
        connection.sendall(request("GET", "/static/portico.css", "Range: bytes=0-4", "Connection: close"))
        head, _, body = received(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 206 ")
    assert b"content-length: 5" in head.split(b"\r\n")
    assert body == b":root"
