"""The files of deployment as data, for the tests that hold them to each other and to the code."""

from pathlib import Path
from typing import Any

import yaml

from tests.fixtures.processes import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
YAML = sorted([ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yml")])


def manifests(folder: Path = KUBERNETES) -> list[dict[str, Any]]:
    """Of Kubernetes itself, not of kustomize."""
    documents = [
        document for path in sorted(folder.rglob("*.yaml")) for document in yaml.safe_load_all(path.read_text())
    ]
    return [document for document in documents if not document["apiVersion"].startswith("kustomize")]


def manifest(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """What a pod of each workload is, by the workload's name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in manifests()
        if each["kind"] in ("Deployment", "Job")
    }


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def instructions(word: str) -> list[str]:
    """What follows `word` in the Dockerfile, with its continued lines as one."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [" ".join(line.split()[1:]) for line in lines if line.startswith(f"{word} ")]
