"""Peers that are not ours, installed where they are measured, in a folder that no version control has."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PEERS = Path(__file__).parents[1] / "peers"
INSTALLED = Path(__file__).parents[1] / "installed"
_SECONDS = 300
_STAMP = "stamp"  # what is installed, written last
_LAST = 300  # characters of an error


class NotInstalled(Exception):
    """Why a peer cannot be measured here."""


def python_of(name: str) -> Path:
    """An interpreter that has what the peer's requirements.txt names."""
    return python_with(PEERS / name / "requirements.txt", INSTALLED / name)


def python_with(wanted: Path, folder: Path, *options: str) -> Path:
    """An interpreter in `folder` that has what `wanted` names. Raises NotInstalled."""
    python = folder / "bin" / "python"
    if not _is_there(folder, wanted):
        uv = Path(sys.executable).with_name("uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], wanted.parent)
        command = [uv, "pip", "install", "--quiet", "--compile-bytecode", *options, "--python", python, "-r", wanted]
        _run(command, wanted.parent)
        (folder / _STAMP).write_bytes(wanted.read_bytes())
    return python


def node_of(name: str) -> tuple[Path, Path]:
    """Node.js 22, and the folder with the peer's program and what its package.json names."""
    folder = INSTALLED / name
    wanted = PEERS / name / "package.json"
    if not _is_there(folder, wanted):
        if shutil.which("npm") is None:
            raise NotInstalled("this machine has no npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(wanted, folder)
        _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        (folder / _STAMP).write_bytes(wanted.read_bytes())
    for program in (PEERS / name).iterdir():
        shutil.copy(program, folder)
    return folder / "node_modules" / "node" / "bin" / "node", folder


def run_node(node: Path, folder: Path, program: str, *arguments: str, environment: Mapping[str, str]) -> None:
    """A program of an installed peer, to its end. Raises NotInstalled with what it printed."""
    _run([node, folder / program, *arguments], folder, {**os.environ, **environment})


def _is_there(folder: Path, wanted: Path) -> bool:
    stamp = folder / _STAMP
    return stamp.exists() and stamp.read_bytes() == wanted.read_bytes()


def _run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    print(f"  {' '.join(str(part) for part in command[:4])} ...", file=sys.stderr)
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{command[0]}: {error}") from error
    if done.returncode:
        raise NotInstalled(" ".join(done.stdout.split())[-_LAST:])
