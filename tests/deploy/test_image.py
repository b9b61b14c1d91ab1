"""What the Dockerfile does, without an engine: the package is built into a fresh environment, and run without any
capability where nothing but the data dir and a folder for temporary files can be written.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from gateway.server import DRAIN_SECONDS
from tests.deploy.files import compose, instructions
from tests.fixtures.processes import ROOT, Process, StartProcess

POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
STRANGER = (*POWERLESS, "--reuid=65534", "--regid=65534", "--clear-groups")
INSTALL = "pip install --no-deps --no-build-isolation --offline --compile-bytecode"


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """`opt` with the package of this checkout in it and its dependencies beside it, and `app` as the image has it."""
    with TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        python = folder / "opt" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "opt"], check=True, timeout=60)
        packages = next((folder / "opt" / "lib").glob("python*/site-packages"))
        # Their own .pth files are not read there: what `make dev` installed for editing is not found.
        (packages / "dependencies.pth").write_text(os.pathsep.join(_places()) + "\n")
        source = folder / "build"
        source.mkdir()
        for argument in instructions("COPY"):
            if not argument.startswith("--from"):
                _copy(argument.split()[:-1], source)
        subprocess.run(
            [Path(sys.executable).with_name("uv"), "--quiet", *INSTALL.split(), "--python", python, source],
            check=True,
            timeout=120,
        )
        (folder / "app").mkdir()
        shutil.move(source / "gunicorn.conf.py", folder / "app")
        for each in ("data", "tmp"):
            (folder / each).mkdir()
            (folder / each).chmod(0o777)
        _add_command(folder / "opt" / "bin", "gunicorn")
        (folder / "app").chmod(0o555)
        yield folder


def _places() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _add_command(folder: Path, module: str) -> None:
    """A dependency's, as installing it would have made it."""
    (folder / module).write_text(f'#!/bin/sh\nexec "{folder}/python" -m {module} "$@"\n')
    (folder / module).chmod(0o755)


def _copy(names: list[str], to: Path) -> None:
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, to)


def without_power(image: Path) -> tuple[str, ...]:
    """What runs a command as nobody where that one reaches this python, and where not, as a root without root's powers.
    Who is not root has none.
    """
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return ()
    start = f'exec {image}/opt/bin/python -c "import fastapi"'
    reached = subprocess.run([*STRANGER, "sh", "-c", start], capture_output=True, check=False, timeout=60)
    return STRANGER if reached.returncode == 0 else POWERLESS


@pytest.fixture
def contained(image: Path, start: StartProcess) -> StartProcess:
    def run(*command: str, **environment: str) -> Process:
        own = {
            "PATH": f"{image}/opt/bin:{os.environ['PATH']}",
            "HOME": "/nonexistent",
            "PYTHONPATH": "",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(image / "tmp"),
            "PORTICO_DATA_DIR": str(image / "data"),
            "PORTICO_ENVIRONMENT": "production",
        }
        script = f'cd {image}/app && exec "$@"'
        return start(*without_power(image), "sh", "-c", script, "sh", *command, **own, **environment)

    return run


def test_dockerfile_installs_as_it_is_tried_here() -> None:
    assert f"uv {INSTALL} --python /opt/portico/bin/python /build" in re.sub(r"\s+", " ", " ".join(instructions("RUN")))


def test_image_has_the_package_whole_and_compiled(image: Path) -> None:
    (packages,) = (image / "opt" / "lib").glob("python*/site-packages")
    names = ("core", "commerce", "public_api", "internal_api", "graphql_api", "gateway")
    tracked = subprocess.run(["git", "ls-files", *names], cwd=ROOT, capture_output=True, text=True, check=True)

    for name in filter(None, tracked.stdout.splitlines()):
        assert (packages / name).exists(), name
        assert not name.endswith(".py") or any((packages / name).parent.glob(f"__pycache__/{Path(name).stem}.*.pyc"))


def test_gateway_serves_writes_nothing_outside_and_drains_in_time(
    contained: StartProcess, image: Path, free_port: int
) -> None:
    (command,) = [json.loads(each) for each in instructions("CMD") if each.startswith("[")]
    bound = [each.replace("0.0.0.0:8000", f"127.0.0.1:{free_port}") for each in command]
    written_before = everything(image)

    server = contained(*bound)
    server.until("Application startup complete")
    with httpx2.Client(base_url=f"http://127.0.0.1:{free_port}") as client:
        ready = client.get("/readyz")
        page = client.get("/")
        documented = client.get("/public/docs")
    healthy = contained(*health_check(of_dockerfile(), free_port)).wait(20)
    server.send(signal.SIGTERM)
    code = server.wait(DRAIN_SECONDS)
    unhealthy = contained(*health_check(of_dockerfile(), free_port)).wait(20)

    assert (ready.status_code, page.status_code, documented.status_code) == (200, 200, 200), server.story
    assert (code, healthy, unhealthy) == (0, 0, 1), server.story
    new = everything(image) - written_before
    assert new
    assert {path.relative_to(image).parts[0] for path in new} == {"data"}


def test_worker_answers_its_health_check_and_drains(contained: StartProcess, free_port: int) -> None:
    worker_service = compose()["services"]["worker"]
    command = [each.replace("0.0.0.0:9100", f"127.0.0.1:{free_port}") for each in worker_service["command"]]

    migrated = contained(*compose()["services"]["migrate"]["command"]).wait(60)
    worker = contained(*command)
    worker.until("Portico works on jobs")
    healthy = contained(*health_check(worker_service["healthcheck"]["test"], free_port)).wait(20)
    worker.send(signal.SIGTERM)

    assert (migrated, healthy) == (0, 0)
    assert worker.wait(DRAIN_SECONDS) == 0, worker.story


def everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def health_check(words: list[str], port: int) -> list[str]:
    """The command, without the word CMD, asking another port."""
    return [re.sub(r"\b(8000|9100)\b", str(port), word) for word in words if word != "CMD"]


def of_dockerfile() -> list[str]:
    (found,) = instructions("HEALTHCHECK")
    words: list[str] = json.loads(found[found.index("[") :])
    return words
