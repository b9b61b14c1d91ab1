"""Every kind of store: a local folder, memory, and S3 as moto's server on this machine speaks it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from core.objects import Objects
from core.objects.store import open_objects


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)), stdout=file, stderr=file
        )
    address = f"http://127.0.0.1:{port}"
    _wait_for(address, log)
    yield address
    server.kill()
    server.wait()


def _wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx2.get(address)
        except httpx2.TransportError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def s3_url(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of its own."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = f"shop-{time.monotonic_ns()}"
    assert httpx2.put(f"{s3_address}/{bucket}").status_code == 200
    return f"s3://{bucket}"


@pytest.fixture(params=["file", "memory", "s3"])
def objects_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        url: str = request.getfixturevalue("s3_url")
        return url
    return f"file://{tmp_path / 'with space' / 'objects'}" if request.param == "file" else "memory://"


@pytest.fixture
async def objects(objects_url: str) -> AsyncIterator[Objects]:
    async with open_objects(objects_url) as opened:
        yield opened
