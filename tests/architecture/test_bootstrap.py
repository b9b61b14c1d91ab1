"""`tools/bootstrap.py`, which runs before anything is installed: what it says, and that it does nothing twice."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_without_venv_is_told_which_package_to_install(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)

    with pytest.raises(SystemExit) as refused:
        bootstrap.check_python()

    assert re.search(r"apt install python3\.\d+-venv", str(refused.value.code))


def test_old_python_is_refused_with_a_way_out(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "sys", SimpleNamespace(version_info=(3, 10, 4), exit=bootstrap.sys.exit))

    with pytest.raises(SystemExit, match=r"python3 is 3\.10\.4; 3\.11 or newer is needed"):
        bootstrap.check_python()


@pytest.mark.parametrize(
    ("have", "wanted"), [("runtime", "runtime"), ("development", "development"), ("development", "runtime")]
)
def test_venv_that_has_what_the_lock_names_is_left_alone(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, have: str, wanted: str
) -> None:
    commands: list[Any] = []
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(bootstrap, "run", lambda *command: commands.append(command))
    (tmp_path / "stamp").write_text(f"uv x\n{have} {bootstrap.digest(have)}\n")

    bootstrap.install(wanted)

    assert commands == []


@pytest.mark.parametrize("name", ["runtime.txt", "development.txt", "uv.txt"])
def test_lock_pins_and_hashes_everything_and_names_no_address(name: str) -> None:
    text = (ROOT / "locks" / name).read_text()
    pinned = re.findall(r"^(\S+)==\S+", text, re.MULTILINE)
    logical = re.sub(r"\\\n", " ", text)

    assert pinned != []
    assert all("--hash=sha256:" in line for line in logical.splitlines() if re.match(r"^\S+==", line))
    assert "://" not in text
