"""The files of deployment, by the linters and schemas of those who read them. Nothing is fetched, nothing is run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.files import YAML, manifests
from tests.fixtures.processes import ROOT

BIN = Path(sys.executable).parent
OLDEST_KUBERNETES, NEWEST_KUBERNETES = "1.30", "1.37"  # the first whose preStop can sleep by itself
STYLE = (
    "{extends: default, ignore-from-file: [], rules: {line-length: {max: 200}, document-start: disable, "
    "comments: {min-spaces-from-content: 1}, truthy: {check-keys: false}}}"
)


def passed(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_dockerfile_has_no_fault() -> None:
    assert passed(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile") == ""


def test_yaml_has_no_fault() -> None:
    assert passed(sys.executable, "-m", "yamllint", "--strict", "-d", STYLE, *YAML) == ""


def test_compose_file_is_what_compose_reads() -> None:
    assert "ok" in passed(
        sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"
    )


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, NEWEST_KUBERNETES])
@pytest.mark.parametrize("manifest", manifests(), ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_manifest_is_what_kubernetes_reads(manifest: dict[str, Any], version: str) -> None:
    assert kubernetes_validate.validate(manifest, version, strict=True) == version
