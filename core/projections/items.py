"""What came back, and the bodies that are made of it: the JSON of each row, with what an entity tag is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import to_json

from core.direct import Row
from core.pagination import Page


class Item(NamedTuple):
    """`json` is empty where only keys were asked for."""

    json: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class ItemSlice:
    """A keyset page, with the one cursor that is shown; as `Slice` otherwise."""

    items: Sequence[Item]
    next_cursor: str | None
    total: int | None


def item_of(row: Row) -> Item:
    """Of a row that begins with these three."""
    return Item(row[0] or "", row[1], row[2])


def versions(items: Iterable[Item]) -> Iterable[tuple[str, int]]:
    return ((item.id, item.version) for item in items)


def array(items: Iterable[str]) -> str:
    return "[" + ",".join(items) + "]"


def page_json(found: Page[Item]) -> str:
    items = array(item.json for item in found.items)
    return f'{{"items":{items},"page":{found.page},"size":{found.size},"total":{found.total}}}'


def slice_json(found: ItemSlice) -> str:
    """With the total where it was counted."""
    items = array(item.json for item in found.items)
    total = f',"total":{found.total}' if found.total is not None else ""
    return f'{{"items":{items},"next":{to_json(found.next_cursor).decode()}{total}}}'
