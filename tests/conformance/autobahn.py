"""The Autobahn cases against our WebSocket protocol: `make autobahn`. Prints the report, and fails where a case did.

A bare echo application behind the server settings of the product; the size of messages alone is lifted, for some cases
send 16 MiB.
"""

import asyncio
import platform
import sys
from collections import Counter
from importlib.metadata import version
from typing import Any

from kosoku import FailureError, run_fuzzingclient
from starlette.types import Receive, Scope, Send

from tests.fixtures.listening import listen

SIZE = 32 * 1024 * 1024
PARTS = ("uvicorn", "uvloop", "websockets", "kosoku")
GROUPS = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Closing",
    "9": "Limits and speed",
    "10": "Fragments of odd sizes",
    "12": "Compression (not offered)",
    "13": "Compression with parameters (not offered)",
}


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        match message["type"]:
            case "lifespan.startup" | "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
            case "websocket.connect":
                await send({"type": "websocket.accept"})
            case "websocket.receive":
                await send({**message, "type": "websocket.send"})
            case "websocket.disconnect":
                return


async def run() -> int:
    async with listen(echo, ws_max_size=SIZE, lifespan="on") as listening:
        try:
            results = await run_fuzzingclient(listening.address)
        except FailureError as failure:
            results = failure.results
    sys.stdout.write(report(results) + "\n")
    return 0 if all(result.passed or result.behavior.value == "UNIMPLEMENTED" for result in results) else 1


def report(results: list[Any]) -> str:
    parts = ", ".join(f"{each} {version(each)}" for each in PARTS)
    lines = [
        f"Python {platform.python_version()}, {parts}: {len(results)} cases.",
        "",
        "| Cases | About | Result |",
        "|---|---|---|",
    ]
    for group, about in GROUPS.items():
        verdicts = Counter(each.behavior.value for each in results if each.case_id.split(".")[0] == group)
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        lines.append(f"| {group}.* | {about} | {told} |")
    odd = [each for each in results if (each.behavior.value, each.behavior_close.value) != ("OK", "OK")]
    known = ("UNIMPLEMENTED",)
    lines += ["", *(_line(each) for each in odd if each.behavior.value not in known)]
    return "\n".join(lines)


def _line(result: Any) -> str:
    return f"* {result.case_id}: {result.behavior.value}, closing {result.behavior_close.value}. {result.result}"


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))
