"""The index of a process: what it finds, the file that it shares, and when it takes another."""

import asyncio
import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from commerce.catalog.entities import Product
from commerce.semantics.index import SemanticIndex
from commerce.semantics.models import ProductVectorRow, SemanticsStateRow
from core.database import Database
from tests.commerce.semantics.conftest import SHOP, NewIndex, numbered
from tests.factories.catalogue import Catalogue
from tests.factories.meanings import state_of, updated
from tests.fixtures.application import LogEntries


async def first(index: SemanticIndex, text: str) -> str:
    return (await index.nearest(text, 1))[0].id


def files(folder: Path) -> list[Path]:
    return sorted((folder / "semantics").glob("*.vectors"))


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("something against the cold", "parka"),
        ("coffee pot", "kettle"),
        ("literature", "novel"),
        ("growing vegetables", "trowel"),
        ("shoes", "boots"),
    ],
)
async def test_the_nearest_in_meaning_shares_no_word_with_the_query(
    database: Database, new_index: NewIndex, products: dict[str, Product], text: str, handle: str
) -> None:
    await updated(database)

    assert await first(new_index(), text) == products[handle].head.id


async def test_before_there_are_vectors_nothing_is_found_and_it_says_why(
    new_index: NewIndex, products: dict[str, Product]
) -> None:
    index = new_index()

    assert products
    assert await index.nearest("coat", 5) == []
    assert index.why_not == "index_not_built"


async def test_what_changed_is_found_without_another_file(
    database: Database, catalogue: Catalogue, new_index: NewIndex, products: dict[str, Product], tmp_path: Path
) -> None:
    await updated(database)
    index = new_index()
    await index.look()
    (file,) = files(tmp_path)

    lamp = await catalogue.create(handle="lamp", title="Bedside Lamp", description="Gives light.")
    await catalogue.update(products["kettle"], title="Silver Necklace", description="Jewellery.")
    await updated(database)
    await index.look()

    assert await first(index, "lighting") == lamp.head.id
    near = await index.nearest("necklace", 10)
    assert near[0].id == products["kettle"].head.id
    assert len({each.id for each in near}) == len(near) == len(products) + 1  # the old vector is not searched too
    assert files(tmp_path) == [file]


async def test_a_file_is_written_anew_when_much_has_changed_and_the_old_one_goes(
    database: Database, catalogue: Catalogue, new_index: NewIndex, products: dict[str, Product], tmp_path: Path
) -> None:
    await updated(database)
    index, behind = new_index(most_fresh=2, rest_seconds=-1), new_index()
    await index.look()
    await behind.look()
    (old,) = files(tmp_path)

    await catalogue.upsert(*numbered(3))
    await updated(database)
    await index.look()

    (new,) = files(tmp_path)
    assert new > old
    assert len(await index.nearest("thing number 2", 100)) == len(products) + 3
    assert await first(behind, "footwear") == products["boots"].head.id  # it still has the old one mapped


async def test_processes_of_a_host_map_one_file(
    database: Database, database_url: str, new_index: NewIndex, products: dict[str, Product], tmp_path: Path
) -> None:
    await updated(database)
    await new_index().look()
    (file,) = files(tmp_path)
    folder = str(tmp_path / "semantics")
    command = [sys.executable, "-m", "tests.commerce.semantics.program", "search", database_url, folder, "footwear"]

    runs = [await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True) for _ in range(2)]

    assert [run.stdout.split() for run in runs] == [[products["boots"].head.id, str(file.stat().st_ino)]] * 2, runs
    assert files(tmp_path) == [file]


def flipped(data: bytes) -> bytes:
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


def of_another_model(data: bytes) -> bytes:
    said = json.loads(data[8:512]) | {"model": "another"}
    return data[:8] + json.dumps(said).encode().ljust(504) + data[512:]


@pytest.mark.parametrize(
    "spoil",
    [
        flipped,
        of_another_model,
        lambda data: data[:-1],
        lambda data: data[:600],
        lambda data: data[:100],
        lambda data: data + bytes(292),
        lambda _: b"",
        lambda _: b"PORTICOV" + b"[" * 10_000,
        lambda _: b"PORTICOV" + b'{"sha256": 1}'.ljust(504),
    ],
)
async def test_a_file_that_is_not_what_was_written_is_refused_and_written_again(
    database: Database,
    new_index: NewIndex,
    products: dict[str, Product],
    tmp_path: Path,
    log_entries: LogEntries,
    spoil: Callable[[bytes], bytes],
) -> None:
    await updated(database)
    await new_index().look()
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(spoil(whole))

    index = new_index()

    assert await first(index, "footwear") == products["boots"].head.id
    assert file.read_bytes() == whole
    assert [entry["event"] for entry in log_entries if "matrix" in entry["event"]][-2:] == [
        "matrix_refused",
        "matrix_written",
    ]


async def test_a_file_of_a_database_that_was_put_back_is_not_used(
    database: Database, new_index: NewIndex, products: dict[str, Product], tmp_path: Path
) -> None:
    await updated(database)
    await new_index().look()
    (file,) = files(tmp_path)
    newer = file.with_name(file.name.replace("0000001.", "0000009."))
    file.rename(newer)

    index = new_index()

    assert await first(index, "footwear") == products["boots"].head.id
    assert files(tmp_path) == [file]


async def test_vectors_of_another_model_are_not_searched(
    database: Database, new_index: NewIndex, products: dict[str, Product]
) -> None:
    await updated(database)
    index = new_index()
    await index.look()

    await updated(database, model="another")
    await index.look()

    assert products
    assert await index.nearest("footwear", 3) == []
    assert index.why_not == "index_not_built"


async def test_single_vectors_of_another_model_are_in_no_file(
    database: Database, new_index: NewIndex, products: dict[str, Product]
) -> None:
    """As there are while another version of the program begins to make all anew."""
    await updated(database)
    boots, kettle = products["boots"].head.id, products["kettle"].head.id
    async with database.write() as session:
        of_boots = ProductVectorRow.product_id == boots
        await session.execute(update(ProductVectorRow).where(of_boots).values(model="another"))
    index = new_index()
    await index.look()
    async with database.write() as session:
        of_kettle = ProductVectorRow.product_id == kettle
        await session.execute(update(ProductVectorRow).where(of_kettle).values(model="another", changed=9))
        await session.execute(update(SemanticsStateRow).values(version=9))
    await index.look()

    near = {each.id for each in await index.nearest("footwear and kettles", 10)}
    assert boots not in near
    assert index._searched is not None
    assert index._searched.fresh.ids == ()


async def test_while_another_process_writes_the_first_file_it_waits(
    database: Database, new_index: NewIndex, products: dict[str, Product], tmp_path: Path
) -> None:
    await updated(database)
    index, folder = new_index(), tmp_path / "semantics"
    folder.mkdir()
    with (folder / "writing.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found, why_not = await index.nearest("footwear", 3), index.why_not
    await index.look()

    assert (found, why_not) == ([], "index_not_written")
    assert index.why_not is None
    assert await first(index, "footwear") == products["boots"].head.id


async def test_searches_go_on_while_files_are_swapped(
    database: Database, catalogue: Catalogue, new_index: NewIndex, products: dict[str, Product]
) -> None:
    await updated(database)
    index = new_index(most_fresh=0, rest_seconds=-1)
    swaps: list[int] = []
    index.on_changed = lambda: swaps.append(1)
    found: set[str] = set()
    ended = asyncio.Event()

    async def search() -> None:
        while not ended.is_set():
            found.add(await first(index, "footwear"))

    tasks = [asyncio.create_task(search()) for _ in range(3)]
    for data in numbered(5):
        await catalogue.add(data)
        await updated(database)
        await index.look()
    ended.set()
    await asyncio.gather(*tasks)

    assert found == {products["boots"].head.id}
    assert len(swaps) >= 5


async def test_products_like_one_are_others(database: Database, new_index: NewIndex, catalogue: Catalogue) -> None:
    made = {data.handle: await catalogue.add(data) for data in SHOP}
    coat = await catalogue.create(handle="coat", title="Warm Coat", description="For snow.")
    await updated(database)
    index = new_index()

    near = await index.like(made["parka"].head.id, 2)

    assert near[0].id == coat.head.id
    assert len(near) == 2
    assert made["parka"].head.id not in {each.id for each in near}
    assert await index.like("prod_nothing", 2) == []


async def test_an_unchanged_index_is_left_as_it_is(
    database: Database, new_index: NewIndex, products: dict[str, Product]
) -> None:
    await updated(database)
    index = new_index()
    await index.look()
    swaps: list[int] = []
    index.on_changed = lambda: swaps.append(1)

    await index.look()
    async with database.write() as session:
        await session.execute(update(SemanticsStateRow).values(position=(await state_of(database)).position))
    await index.look()

    assert products
    assert swaps == []
