"""A process with a person in a room, until it is killed: `python -m tests.commerce.support.program ROOM PERSON`."""

import asyncio
import sys

from commerce.support.entities import Person
from commerce.support.presence import Presence
from core.resources import open_resources
from core.settings import load_settings


async def main(room: str, person: str) -> None:
    async with (
        open_resources(load_settings()) as resources,
        Presence(resources.database, resources.clock, resources.hub) as presence,
        presence.attend(room, Person(person, person.title(), is_staff=False), lambda _change: None),
    ):
        sys.stdout.write("there\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
