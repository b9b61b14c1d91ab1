"""The public API against its own OpenAPI document, by property-based testing from outside (schemathesis)."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.processes import PORTICO, Process, StartProcess

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
SCOPES = "catalog:read,catalog:write,orders:read,orders:write,events:read,webhooks:write,reports:read,support:write"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def shop_key(start: StartProcess, _server: Process, _address: str) -> str:
    keys = start(*PORTICO, "keys", "create", "schemathesis", "--scopes", SCOPES)
    assert keys.wait(20) == 0, keys.story
    return keys.stdout.strip()


def admin(_start: StartProcess, server: Process, address: str) -> str:
    """Who may make keys too."""
    login = server.until(r"admin login (\S+) with the password (\S+)")
    form = {"username": login[1], "password": login[2]}
    return str(httpx2.post(f"{address}/public/v1/auth/token", data=form).json()["access_token"])


@pytest.mark.parametrize("caller", [shop_key, admin])
def test_no_request_finds_a_server_error_or_an_undocumented_answer(
    start: StartProcess, tmp_path: Path, caller: Callable[[StartProcess, Process, str], str]
) -> None:
    server = start(*PORTICO, "serve", "--demo", "--port", "0")
    address = server.until(r"Portico is ready: (\S+)")[1]
    token = caller(start, server, address)

    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{address}/public/v1/openapi.json",
            "--header", f"Authorization: Bearer {token}",
            "--exclude-path", "/auth/logout",  # the token would be good for nothing from there on
            "--exclude-path", "/events/stream",  # does not end
            "--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful",
            "--max-examples", "20", "--seed", "7", "--continue-on-failure", "--warnings", "off",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    generated = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert generated is not None, done.stdout
    assert int(generated[1]) == int(generated[2]) >= 500
    links = re.search(r"API Links:\s+(\d+) covered", done.stdout)
    assert links is not None, done.stdout
    assert int(links[1]) >= 1  # how many it gets round to is chance: ids differ from run to run
