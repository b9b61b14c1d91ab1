import pytest

from commerce.catalog.transfer.seen import Seen


def test_what_is_new_is_remembered_with_its_line() -> None:
    with Seen() as seen:
        new = seen.all_new({"cap": 2}, {"A": 2, "B": 3})

        assert new
        assert seen.handle("cap", 9) == 2
        assert seen.skus({"B": 9, "C": 9}) == {"B": 3}


@pytest.mark.parametrize(("handle", "sku"), [("cap", "C"), ("hat", "B")])
def test_of_what_is_not_all_new_nothing_is_remembered(handle: str, sku: str) -> None:
    with Seen() as seen:
        seen.all_new({"cap": 2}, {"A": 2, "B": 3})

        new = seen.all_new({handle: 7}, {"Z": 7, sku: 8})

        assert not new
        assert seen.skus({"Z": 9}) == {}
        assert seen.handle("hat", 9) is None
        assert seen.skus({"A": 10, "B": 10}) == {"A": 2, "B": 3}


def test_without_a_handle_there_are_its_skus() -> None:
    with Seen() as seen:
        assert seen.all_new({}, {})
        assert seen.all_new({}, {"A": 3})
        assert not seen.all_new({}, {"A": 4})


def test_a_handle_and_a_sku_may_be_alike() -> None:
    with Seen() as seen:
        assert seen.all_new({"a": 2}, {"a": 2})
        assert seen.all_new({"b": 3}, {"sa": 3, "ha": 3})


@pytest.mark.parametrize(("names", "new"), [(10_000, True), (10_001, False)])
def test_more_than_a_statement_takes_are_not_remembered_at_once(names: int, new: bool) -> None:
    with Seen() as seen:
        assert seen.all_new({}, {f"S{number}": number for number in range(names)}) is new
        assert (seen.skus({"S1": 7}) == {"S1": 1}) is new
