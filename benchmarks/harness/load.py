"""Load by wrk from the second core: the same requests in turn over kept connections, and what came of them."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.processes import cores

_MARK = "FOUND "
_PATIENCE = 30  # seconds after its time, in which it should have ended
_DONE = """
done = function(summary, latency, _)
  local e = summary.errors
  io.write(string.format('FOUND {"requests":%d,"seconds":%f,"bytes":%.0f,"p50_ms":%f,"p99_ms":%f,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, e.connect, e.read, e.write, e.status, e.timeout))
end
"""


class NoLoad(Exception):
    """Why there was none: nothing to make it with, or nobody who takes it."""


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of load has found. `errors` by kind; a status of 400 and above is one."""

    requests: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    errors: Mapping[str, int]


def wrk(address: str, requests: Sequence[Request], connections: int, seconds: float) -> Round:
    program = shutil.which("wrk")
    if program is None:
        raise NoLoad("this machine has no wrk (a package of Debian, and of others)")
    with TemporaryDirectory() as folder:
        script = Path(folder) / "requests.lua"
        script.write_text(lua(requests))
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s", "--timeout", "10s", "-s", str(script)]
        command = ["taskset", "-c", str(cores()[1]), program, *options, address]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise NoLoad(f"wrk did not end within {error.timeout:g} s") from error
    if done.returncode:
        raise NoLoad(done.stderr.strip())
    return read(done.stdout)


def read(output: str) -> Round:
    found: dict[str, Any] = json.loads(output.partition(_MARK)[2])
    return Round(**found)


def lua(requests: Sequence[Request]) -> str:
    """Wrk's script; each request is made once, before the first is sent."""
    made = "\n".join(f"  made[{number}] = {_format(each)}" for number, each in enumerate(requests, 1))
    return f"""local made, at = {{}}, 0
init = function()
{made}
end
request = function()
  at = at % #made + 1
  return made[at]
end
{_DONE}"""


def _format(request: Request) -> str:
    headers = "".join(f"[ {_quoted(name)} ] = {_quoted(value)}," for name, value in request.headers.items())
    body = _quoted(request.body) if request.body else "nil"
    # wrk adds the host to its own headers alone.
    return (
        f"wrk.format({_quoted(request.method)}, {_quoted(request.path)}, {{Host=wrk.headers.Host,{headers}}}, {body})"
    )


def _quoted(text: str) -> str:
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[{text}]{level}]"
