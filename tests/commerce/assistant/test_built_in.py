"""The built-in model over the demo catalogue: what it names is there, in stock, and costs what it says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from commerce.accounts.principal import ANONYMOUS
from commerce.assistant.answerer import BuiltIn
from commerce.assistant.cards import read_known
from commerce.assistant.facts import Facts
from commerce.assistant.retrieval import Nearest
from commerce.assistant.tools import Toolbox, data_in
from commerce.catalog.filters import ProductFilter
from commerce.catalog.repository import ProductRepository
from commerce.catalog.seed import seed_demo
from core.database import Database
from core.inference.chat import AssistantMessage, Ended, Message, Text, ToolCall, ToolMessage, UserMessage
from tests.factories.clocks import FakeClock

MARK = "[["


async def nobody_near(_text: str, _wanted: ProductFilter) -> Sequence[str]:
    return ()


@pytest.fixture
async def demo(sqlite_database: Database) -> Database:
    await seed_demo(sqlite_database, FakeClock(), "USD")
    return sqlite_database


async def asked(database: Database, question: str, nearest: Nearest = nobody_near) -> tuple[str, list[str]]:
    """What it says, and the ids that it names."""
    model, toolbox = BuiltIn("USD"), Toolbox(database, ANONYMOUS, Facts("USD", kinds={"jacket", "mug"}), nearest)
    messages: list[Message] = [UserMessage(question)]
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        pieces = [piece async for piece in model.stream(messages, toolbox.declared, deadline=deadline)]
        calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
        said = "".join(piece.text for piece in pieces if isinstance(piece, Text))
        assert isinstance(pieces[-1], Ended)
        if not calls:
            return said, [part.partition("]]")[0] for part in said.split(MARK)[1:]]
        results = [ToolMessage(call.id, await toolbox.call(call)) for call in calls]
        messages += [AssistantMessage(said, tuple(calls)), *results]


async def test_warm_jacket_for_hiking(demo: Database) -> None:
    said, ids = await asked(demo, "a warm jacket under 80 dollars for hiking")

    async with demo.read() as session:
        found = await read_known(session, ids, ANONYMOUS)
    cards = [found[each].card for each in ids]
    assert cards[0].title == "Fellside Fleece Jacket"
    assert [found[each].category for each in ids] == ["Jackets"] * len(ids)
    assert all(card.available and Decimal(card.price.amount) <= 8000 for card in cards)
    assert [f"[[{card.product_id}]] for ${card.price.amount / 100:.2f}" in said for card in cards] == [True] * len(ids)


async def test_what_there_is_nothing_of(demo: Database) -> None:
    said, ids = await asked(demo, "a submarine")

    assert (said, ids) == ("I found nothing in stock that fits. Other words may find more.", [])


async def test_meaning_finds_where_words_do_not(demo: Database) -> None:
    """And nearest in meaning are those alone that fit what else is asked for."""
    wishes: list[ProductFilter] = []

    async def nearest(text: str, wanted: ProductFilter) -> Sequence[str]:
        wishes.append(wanted)
        async with demo.read() as session:
            found = await ProductRepository(session).slice(replace(wanted, q="mug"), None, limit=2, after=None)
        return [each.id for each in found.items] if "cappuccino" in text else []

    said, ids = await asked(demo, "a cappuccino vessel under 40 dollars", nearest)

    assert {wish.max_price for wish in wishes} == {4000}
    assert said.count(MARK) == len(ids) == 2


async def test_same_question_gets_the_same_words(demo: Database) -> None:
    assert await asked(demo, "mugs between 10 and 30 dollars") == await asked(demo, "mugs between 10 and 30 dollars")


async def test_product_says_nothing_that_closes_its_data(demo: Database) -> None:
    toolbox = Toolbox(demo, ANONYMOUS, Facts("USD"), nobody_near)

    told = await toolbox.call(
        ToolCall("1", "search_products", "", {"query": "jacket", "max_price": 80, "in_stock": True})
    )

    found = data_in(told)
    assert found is not None
    assert told.count("<") == 2
    assert all(each["available"] for each in found["products"])
