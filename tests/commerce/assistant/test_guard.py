"""What passes the guard, however a model cuts its words."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.assistant.cards import Known
from commerce.assistant.entities import Card, Corrections
from commerce.assistant.facts import Facts
from commerce.assistant.guard import Guard
from commerce.catalog.text import search_words
from core.money import Money


def known(number: int, title: str, *prices: int, currency: str = "USD") -> Known:
    amounts = [Money(price, currency) for price in prices]
    lowest, highest = (Money(pick(prices), currency) for pick in (min, max))
    card = Card(
        f"prod_{number}", "h", title, lowest, lowest, highest, available=True, url="/", image_url=None, image_alt=""
    )
    words = frozenset(search_words(title, "Jackets", "warm").split())
    return Known(card, frozenset(amounts), words, "Jackets", ("warm",), "")


FLEECE, RAIN, TENT = (
    known(1, "Fellside Fleece Jacket", 5900, 7900),
    known(2, "Rain Coat", 4900),
    known(3, "Tent", 20000),
)
CASES = [
    ("I like it. Take [[prod_1]] for $79.", "I like it. Take Fellside Fleece Jacket for $79.", 0, 0),
    ("prod_2 is $49.00 or 49 dollars.", "Rain Coat is $49.00 or 49 dollars.", 0, 0),
    ("The Rain Coat [[prod_2]] is dry.", "The Rain Coat is dry.", 0, 0),
    ("The Rain Coat ([[prod_2]]) is dry.", "The Rain Coat () is dry.", 0, 0),
    ("[[prod_1]] is $49.", "Fellside Fleece Jacket is $59.00 to $79.00.", 1, 0),
    ("The Rain Coat is nice. It costs $59.", "The Rain Coat is nice. It costs [see the card].", 1, 0),
    ("Rain Coat $49, Fellside Fleece Jacket $49.", "Rain Coat $49, Fellside Fleece Jacket [see the card].", 1, 0),
    ("All under $80, even $60.", "All under $80, even [amount withheld].", 1, 0),
    ("It is $80.", "It is [amount withheld].", 1, 0),
    ("At most 80 dollars, or between $59 and $80.", "At most 80 dollars, or between $59 and [amount withheld].", 1, 0),
    ("Something is $49 here.", "Something is $49 here.", 0, 0),
    ("Try [[prod_9]] now.", "Try [unknown product] now.", 0, 1),
    ("The Everest Storm Jacket is 12 USD.", "The [unknown product] is [amount withheld].", 1, 1),
    ("Our Alpine Pro 3 Jacket rocks.", "Our [unknown product] rocks.", 0, 1),
    ("Warm Jackets and a Fleece Jacket from New York.", "Warm Jackets and a Fleece Jacket from New York.", 0, 0),
    ("A tent is no Tent in content.", "A tent is no Tent in content.", 0, 0),
    ("It costs $\n79 or USD\n12.", "It costs $\n79 or [amount withheld].", 1, 0),
    ("Free! Visit www.evil.example/a?b=c today.", "Free! Visit [link removed] today.", 0, 0),
    ("See [our page](https://evil.example) now.", "See our page now.", 0, 0),
    ("Order 7 has a total of $12.50.", "Order 7 has a total of $12.50.", 0, 0),
    ("The Rain Coat is $12.50.", "The Rain Coat is $49.00.", 1, 0),
    ("z\u200bero \u202ewidth $\u200b12.", "zero width [amount withheld].", 1, 0),
]


async def guarded(pieces: Sequence[str], *, gone: frozenset[str] = frozenset()) -> tuple[str, list[str], Corrections]:
    """Text, titles of cards, and what was corrected."""
    facts = Facts("USD", "a warm jacket under 80 dollars", kinds={"jacket"}, amounts={Money(1250, "USD")})
    shop = {each.card.product_id: each for each in (FLEECE, RAIN, TENT)}
    facts.learn(shop.values())

    async def read(ids: Sequence[str]) -> dict[str, Known]:
        return {each: shop[each] for each in ids if each not in gone}

    guard = Guard(facts, read)
    said = [each for piece in pieces for each in await guard.feed(piece)]
    said += await guard.finish()
    text = "".join(each for each in said if isinstance(each, str))
    return text, [each.title for each in said if isinstance(each, Card)], guard.corrections


@pytest.mark.parametrize(("model_says", "shown", "amounts", "products"), CASES)
async def test_prose_is_corrected(model_says: str, shown: str, amounts: int, products: int) -> None:
    text, _, corrections = await guarded([model_says])

    assert text == shown
    assert corrections == Corrections(amounts, products)


@given(st.sampled_from(CASES), st.data())
def test_it_matters_not_how_the_words_are_cut(case: tuple[str, str, int, int], data: st.DataObject) -> None:
    model_says, shown, amounts, products = case
    cuts = sorted(data.draw(st.sets(st.integers(0, len(model_says)), max_size=12)))
    pieces = [model_says[start:end] for start, end in zip([0, *cuts], [*cuts, len(model_says)], strict=True)]

    text, _, corrections = asyncio.run(guarded(pieces))

    assert (text, corrections) == (shown, Corrections(amounts, products))


async def test_each_product_has_one_card() -> None:
    _, cards, _ = await guarded(["[[prod_1]] and Rain Coat. ", "Again [[prod_2]], [[prod_1]]."])

    assert cards == ["Fellside Fleece Jacket", "Rain Coat"]


async def test_product_that_is_gone_meanwhile_is_not_named() -> None:
    text, cards, corrections = await guarded(["The Rain Coat is $49. Or [[prod_2]]."], gone=frozenset({"prod_2"}))

    assert (text, cards) == ("The [no longer available] is [amount withheld]. Or [unknown product].", [])
    assert corrections == Corrections(amounts=1, products=2)


async def test_words_that_can_be_nothing_else_are_not_held_back() -> None:
    facts = Facts("USD")

    async def read(_ids: Sequence[str]) -> dict[str, Known]:
        return {}

    guard = Guard(facts, read)

    assert await guard.feed("this goes thro") == ["this goes "]
    assert await guard.feed("ugh and $") == ["through and "]
    assert await guard.feed("7") == []
    assert await guard.feed(" is held. and") == ["[amount withheld] is held.", " "]


async def test_endless_sentence_is_not_held_for_ever() -> None:
    words = "Gibberish 7 words " * 400

    text, _, _ = await guarded([words])
    first, _, _ = await guarded([*(words[place : place + 7] for place in range(0, len(words), 7))])

    assert text == first == words
