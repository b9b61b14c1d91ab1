"""A process of a shop: `fill URL BATCH` makes vectors, `search URL FOLDER TEXT` searches by them."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from commerce.semantics.index import SemanticIndex
from core.database import Database
from core.hub.memory import MemoryHub
from tests.factories.meanings import updater


async def fill(url: str, batch: str) -> None:
    made = updater(Database(url), batch=int(batch))
    while (done := await made.step()).more:
        print(done.embedded, flush=True)  # noqa: T201


async def search(url: str, folder: str, text: str) -> None:
    database = Database(url)
    index = SemanticIndex(database, MemoryHub(), Path(folder))
    near = await index.nearest(text, 1)
    print(near[0].id, *sorted(mapped_inodes()), flush=True)  # noqa: T201
    await database.close()


def mapped_inodes() -> set[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[4] for line in lines if line.endswith(".vectors")}


COMMANDS: dict[str, Callable[..., Coroutine[None, None, None]]] = {"fill": fill, "search": search}
asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
