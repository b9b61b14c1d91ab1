"""The README's tour as a reader pastes it: a fresh folder, `portico serve --demo`, every `sh tour` block in bash."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder as a fresh clone has it after `make setup`, and the address of the server that runs in it."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [".venv/bin/portico", "serve", "--demo", "--port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    address = f"127.0.0.1:{port}"
    try:
        _wait_until_ready(address, server, tmp_path / "server.log")
        yield tmp_path, address
    finally:
        server.terminate()
        server.wait(timeout=25)


def test_tour_of_the_readme_works_as_pasted(reader: tuple[Path, str]) -> None:
    folder, address = reader
    blocks = re.findall(r"^```sh tour\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    script = "echo '<next>'\n".join(blocks).replace("127.0.0.1:8000", address)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    parts = done.stdout.split("<next>\n")
    (
        alive,
        found,
        answered,
        created,
        conditional,
        transferred,
        worked,
        registered,
        ordered,
        followed,
        quoted,
        asked,
        streamed,
        told,
        operated,
        scraped,
        watched,
        walled,
    ) = parts
    assert '{"status":"ok"}' in alive
    assert '"status":"ready"' in alive
    assert '"title":"Fellside Fleece Jacket"' in found
    assert '{"data":{"products":{"nodes":[{"title":' in found
    assert re.findall(r"^event: (\w+)", answered, re.MULTILINE)[-1] == "done"
    assert '"title":"Fellside Fleece Jacket","price":{"amount":5900,"currency":"USD"},"available":true' in answered
    assert created.startswith("HTTP/1.1 201 Created")
    assert '"handle":"tour-mug"' in created
    assert conditional.startswith("HTTP/1.1 304 Not Modified")
    assert "HTTP/1.1 412 Precondition Failed" in conditional
    assert "HTTP/1.1 301 Moved Permanently" in conditional
    assert "/public/v1/products/enamel-mug" in conditional
    assert re.search(r"created 0 updated 0 unchanged 7\d failed 0", transferred)
    assert re.search(r'"state":"succeeded".*"created":1', worked)
    assert '"email":"ada@example.com","name":"Ada","role":"customer"' in registered
    first, again = ordered.split("HTTP/1.1 201 Created")[1:]
    (order,) = set(re.findall(r'"id": ?"(ord_\w+)"', ordered))  # one, by three tries over REST and one over GraphQL
    assert "idempotency-replayed" not in first
    assert "idempotency-replayed: true" in again
    assert '"state":"placed"' in again  # GraphQL's answer
    paid, shipped, *_ = re.findall(r'"state":"(\w+)"', followed)
    assert (paid, shipped) == ("paid", "shipped")
    assert re.findall(r'"type":"(order\.\w+)"', followed) == ["order.placed", "order.paid", "order.shipped"]
    assert f"1001,{order},shipped,ada@example.com" in followed
    assert '"number":1002' in quoted
    assert '"shipping":{"amount":495,"currency":"USD"}' in quoted
    assert asked.count('"text":"When will it be here?"') == 2
    assert re.search(r"var/outbox/\w+\.eml", told)
    assert '"status":"ok"' in operated
    assert "HTTP/1.1 201 Created" in operated
    assert re.search(r'"code":"TOUR".*"duration":"P3652D"', operated)
    assert re.search(r'"actor":"user:usr_\w+".*"action":"promotion.create"', operated)
    assert re.search(r'portico_catalog_products\{status="active"\} \d\d', scraped)
    assert "event: next\n" in streamed
    assert '"state":"shipped"' in streamed
    assert scraped.count("\nok  ") == 7
    assert '<dt>State</dt><dd class="good">ready</dd>' in watched
    assert re.search(r'"request_id":"my-slow-request".*"route":"/public/v1/products".*"sql":\{"count":1,', watched)
    assert '"target":"graphql","reason":"a storm"' in walled
    assert re.search(r'"message":"back in a minute".*"code":"switched_off"', walled)
    assert "HTTP/1.1 204 No Content" in walled
    assert re.search(r'"subject":"address:203\.0\.113\.7".*"plan":"trial"', walled)


def _wait_until_ready(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx2.get(f"http://{address}/readyz").status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the server did not get ready:\n{log.read_text()}")
