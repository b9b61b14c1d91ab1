"""A storm, in a process of its own: connections that ask again as soon as they are answered, whatever they are told,
until SIGTERM. Then each takes its last answer, and what they got is written down.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

_KINDNESS = 10  # who is measured beside it on the same core goes first
_AGAIN_SECONDS = 1.0  # after a 503: the least that Retry-After ever says
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Ask:
    """`body` is JSON."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Storm:
    """The connections ask in turn. `core`: the only one that it runs on."""

    address: str
    key: str
    asks: Sequence[Ask]
    connections: int
    result: str
    core: int | None = None

    def json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Storm":
        said = json.loads(text)
        return cls(**said | {"asks": [Ask(**each) for each in said["asks"]]})

    def bytes_of(self, ask: Ask) -> bytes:
        head = f"{ask.method} {ask.path} HTTP/1.1\r\nHost: {urlsplit(self.address).netloc}\r\n"
        head += f"Authorization: Bearer {self.key}\r\nAccept: application/json\r\n"
        if ask.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(ask.body)}\r\n"
        return f"{head}\r\n{ask.body}".encode("ascii")


class Storming:
    """`answers`: how many of each kind, `200` or `503 overloaded`; the first of a kind is printed."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._asks = [storm.bytes_of(each) for each in storm.asks]
        self._stop = asyncio.Event()
        self.answers = Counter[str]()

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        async with asyncio.TaskGroup() as group:
            for number in range(self._storm.connections):
                group.create_task(self._ask_on(number))

    async def _ask_on(self, number: int) -> None:
        """On one connection; a broken one ends the storm with an error."""
        url = urlsplit(self._storm.address)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        while not self._stop.is_set():
            writer.write(self._asks[number % len(self._asks)])
            number += 1
            kind = await _answer(reader)
            if not self.answers[kind]:
                sys.stdout.write(f"first {kind}\n")
                sys.stdout.flush()
            self.answers[kind] += 1
            if kind.startswith("503"):
                await asyncio.wait((asyncio.ensure_future(self._stop.wait()),), timeout=_AGAIN_SECONDS)
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    status = int(lines[0].split()[1])
    if status < _REFUSED and b'"errors"' not in body:
        return str(status)
    said = json.loads(body)
    code = said["code"] if "code" in said else said["errors"][0]["extensions"]["code"]
    return f"{status} {code}" if "retry-after" in headers else f"{status} {code} for ever"


def main() -> None:
    storm = Storm.read(sys.argv[1])
    os.nice(_KINDNESS)
    if storm.core is not None:
        os.sched_setaffinity(0, {storm.core})
    storming = Storming(storm)
    asyncio.run(storming.run())
    Path(storm.result).write_text(json.dumps(storming.answers))


if __name__ == "__main__":
    main()
