"""Builds `.venv` from the pinned locks, with the system's python3 and its standard library alone.

    python3 tools/bootstrap.py runtime       what `make run` needs
    python3 tools/bootstrap.py development   that and the tools of `make test` and `make check`
    python3 tools/bootstrap.py lock          renews locks/ from pyproject.toml

Nothing is done when `.venv` already holds what the lock names: a stamp in it keeps the locks' digest.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = ROOT / "locks"
STAMP = VENV / "portico-stamp"
OLDEST = (3, 11)
SETS = {"runtime": "runtime.txt", "development": "development.txt"}
EXTRAS = {"runtime": ["build"], "development": ["build", "dev"]}


def refuse(message: str) -> None:
    sys.exit(f"portico: {message}")


def check_python() -> None:
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        refuse(f"python3 is {found}; 3.11 or newer is needed (make PYTHON=python3.12 run picks another one)")
    if not all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        refuse(
            f"this python3 has no venv module. On Debian or Ubuntu: apt install python{version}-venv; "
            "on Alpine: apk add python3 py3-pip; on Fedora it comes with the package python3."
        )


def run(*command: str | Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        refuse(f"`{' '.join(str(part) for part in command)}` failed; what it printed stands above")


def digest(name: str) -> str:
    """The state that `.venv` must have: interpreter, locks, and how the package itself is declared."""
    parts = [sys.version.encode(), str(ROOT).encode()]
    parts += [(LOCKS / file).read_bytes() for file in ("uv.txt", SETS[name])]
    parts.append((ROOT / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamped() -> dict[str, str]:
    if not STAMP.exists():
        return {}
    return dict(line.split(" ", 1) for line in STAMP.read_text().splitlines())


def make_venv() -> Path:
    """Makes `.venv` with the pinned uv in it, and returns uv's path."""
    uv = VENV / "bin" / "uv"
    stamp = hashlib.sha256((LOCKS / "uv.txt").read_bytes() + sys.version.encode()).hexdigest()
    if uv.exists() and stamped().get("uv") == stamp:
        return uv
    print("portico: making .venv (the first time takes a minute)", file=sys.stderr, flush=True)
    run(sys.executable, "-m", "venv", "--clear", VENV)
    run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--require-hashes", "-r", LOCKS / "uv.txt")  # fmt: skip
    STAMP.write_text(f"uv {stamp}\n")
    return uv


def install(name: str) -> None:
    # The development set holds the runtime set, so `make run` after `make test` changes nothing.
    wanted = {name: digest(name)} if name == "development" else {each: digest(each) for each in SETS}
    present = stamped()
    if any(present.get(each) == value for each, value in wanted.items()):
        return
    uv = make_venv()
    # The lock of uv itself is synced with the rest, or the sync would take uv away.
    run(uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", VENV / "bin" / "python",
        LOCKS / SETS[name], LOCKS / "uv.txt")  # fmt: skip
    run(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--offline",
        "--python", VENV / "bin" / "python", "--editable", ROOT)  # fmt: skip
    STAMP.write_text(f"uv {stamped()['uv']}\n{name} {digest(name)}\n")


def lock() -> None:
    uv = VENV / "bin" / "uv" if STAMP.exists() else make_venv()
    for name, file in SETS.items():
        extras = [argument for extra in EXTRAS[name] for argument in ("--extra", extra)]
        run(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
            "--no-emit-index-url", "--no-header", *extras, "pyproject.toml", "-o", f"locks/{file}")  # fmt: skip


def main() -> None:
    task = sys.argv[1] if len(sys.argv) == len(("program", "task")) else ""
    check_python()
    if task == "lock":
        lock()
    elif task in SETS:
        install(task)
    else:
        refuse(f"usage: python3 tools/bootstrap.py {'|'.join([*SETS, 'lock'])}")


if __name__ == "__main__":
    main()
