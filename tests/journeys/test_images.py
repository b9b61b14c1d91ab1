"""Images through a real server, over each store: uploaded, shown, kept over a restart; its workers end with it."""

import signal
from pathlib import Path

import httpx2
import psutil
import pytest

from commerce.media.program import IMAGES
from tests.factories.images import an_image, opened
from tests.fixtures.processes import PORTICO, Process, StartProcess


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a server over this store."""
    if request.param == "file":
        return {}
    return {"PORTICO_OBJECTS_URL": request.getfixturevalue("s3_url")}


def serve(start: StartProcess, **environment: str) -> tuple[Process, str]:
    server = start(*PORTICO, "serve", "--port", "0", "--no-demo", **environment)
    return server, server.until(r"Portico is ready: (\S+)")[1]


def workers_of(server: Process) -> list[psutil.Process]:
    """Of images alone: other programs look after other things."""
    children = psutil.Process(server.pid).children(recursive=True)
    return [each for each in children if each.is_running() and IMAGES.module in each.cmdline()]


def a_writer(start: StartProcess) -> dict[str, str]:
    key = start(*PORTICO, "keys", "create", "test", "--scopes", "catalog:write")
    assert key.wait(20) == 0, key.story
    return {"Authorization": f"Bearer {key.stdout.strip()}"}


def test_image_goes_all_the_way_and_outlives_a_kill(start: StartProcess, store: dict[str, str]) -> None:
    server, address = serve(start, **store)
    writer = a_writer(start)
    with httpx2.Client(base_url=f"{address}/public/v1", headers=writer, timeout=30) as client:
        product = client.post("/products", json={"title": "Tent", "variants": [{"price": {"amount": 1}}]}).json()
        assert workers_of(server) == []
        before = psutil.Process(server.pid).memory_info().rss
        made = client.post(f"/products/{product['id']}/images", files={"file": an_image()}, data={"alt": "Front"})
        assert made.status_code == 201, made.text
        image = made.json()
        assert image["url"] == f"{address}/public/v1/images/{image['id']}"
        first = httpx2.get(image["url"], params={"w": 100}, headers={"Accept": "image/webp"})
    assert opened(first.content).size == (100, 75)
    assert psutil.Process(server.pid).memory_info().rss - before < 30_000_000
    workers = workers_of(server)
    assert 1 <= len(workers) <= IMAGES.at_once  # the job that makes the usual sizes may have one too

    server.send(signal.SIGKILL)
    server.wait(5)
    _, gone = psutil.wait_procs(workers, timeout=5)
    assert gone == []
    server, address = serve(start, **store)

    path = f"{address}/public/v1/images/{image['id']}"
    again = httpx2.get(path, params={"w": 100}, headers={"Accept": "image/webp"})
    other = httpx2.get(path, params={"w": 50}, headers={"Accept": "image/webp"})
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert opened(other.content).size == (50, 38)


def test_server_that_drains_ends_its_workers(start: StartProcess) -> None:
    server, address = serve(start)
    writer = a_writer(start)
    with httpx2.Client(base_url=f"{address}/public/v1", headers=writer, timeout=30) as client:
        product = client.post("/products", json={"title": "Tent", "variants": [{"price": {"amount": 1}}]}).json()
        assert client.post(f"/products/{product['id']}/images", files={"file": an_image()}).status_code == 201
    workers = workers_of(server)
    assert 1 <= len(workers) <= IMAGES.at_once  # the job that makes the usual sizes may have one too

    server.send(signal.SIGTERM)

    assert server.wait(20) == 0, server.story
    _, alive = psutil.wait_procs(workers, timeout=2)
    assert alive == []


def test_public_address_is_that_of_images(start: StartProcess, tmp_path: Path) -> None:
    _, address = serve(start, PORTICO_PUBLIC_URL="https://shop.example.com/gateway")
    writer = a_writer(start)
    with httpx2.Client(base_url=f"{address}/public/v1", headers=writer, timeout=30) as client:
        product = client.post("/products", json={"title": "Tent", "variants": [{"price": {"amount": 1}}]}).json()
        image = client.post(f"/products/{product['id']}/images", files={"file": an_image()}).json()

        assert image["url"] == f"https://shop.example.com/gateway/public/v1/images/{image['id']}"
        assert client.get(f"/images/{image['id']}").status_code == 200
    assert (tmp_path / "var" / "objects" / "media" / image["id"] / "original").read_bytes() == an_image()
