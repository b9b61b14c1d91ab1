"""The checker finds what it is there to find."""

import pytest

from tests.faults.checker import Shop, Sold, faults_of
from tests.faults.journal import Followed, Journal, Order

TOLD = [("evt_1", "order.placed", "ord_a"), ("evt_2", "order.placed", "ord_b"), ("evt_3", "order.cancelled", "ord_b")]
IDS = ["evt_1", "evt_2", "evt_3"]
KEPT, CANCELLED = Sold("a@x", "ord_a", "placed", "CUP", 2), Sold("b@x", "ord_b", "cancelled", "CUP", 1)
TWICE = Sold("a@x", "ord_c", "placed", "CUP", 2)
STRANGE = Sold("c@x", "ord_c", "placed", "CUP", 2)


def a_journal(*ids: str, wrong: tuple[str, ...] = ()) -> Journal:
    orders = [Order("a@x", "ord_a", "CUP", 2, 1.0), Order("b@x", "ord_b", "CUP", 1, 2.0, cancelled=True)]
    return Journal(orders, [Followed("SocketFollower", list(ids), [], 0, 0)], wrong=list(wrong))


def a_shop(*sold: Sold, left: int = 8, told: list[tuple[str, str, str]] = TOLD) -> Shop:
    return Shop(sold, told, {"CUP": 10}, {"CUP": left})


def test_finds_nothing_where_all_is_well() -> None:
    assert faults_of(a_journal(*IDS), a_shop(KEPT, CANCELLED)) == []


@pytest.mark.parametrize(
    ("shop", "fault"),
    [
        (a_shop(CANCELLED, left=10, told=TOLD[1:]), "acknowledged orders are lost"),
        (a_shop(KEPT, CANCELLED, TWICE, left=6), "orders are there twice"),
        (a_shop(KEPT, CANCELLED, STRANGE, left=6), "nobody was told of"),
        (a_shop(KEPT, Sold("b@x", "ord_b", "placed", "CUP", 1), left=7), "not in the state"),
        (a_shop(Sold("a@x", "ord_a", "placed", "CUP", 3), CANCELLED, left=7), "about something else"),
        (a_shop(KEPT, CANCELLED, left=9), "of CUP there were 10, 2 were sold, and 9 are left"),
        (a_shop(KEPT, CANCELLED, told=TOLD[:2]), "the log is not what happened"),
        (a_shop(KEPT, CANCELLED, told=[*TOLD, ("evt_4", "order.placed", "ord_a")]), "the log is not what happened"),
    ],
)
def test_finds_what_is_wrong_in_the_shop(shop: Shop, fault: str) -> None:
    assert any(fault in each for each in faults_of(a_journal(*IDS), shop))


@pytest.mark.parametrize(
    "ids",
    [IDS[:2], [*IDS, "evt_3"], ["evt_2", "evt_1", "evt_3"], [*IDS, "evt_9"]],
    ids=["gap", "double", "order", "odd"],
)
def test_finds_a_stream_that_is_not_whole(ids: list[str]) -> None:
    (fault,) = faults_of(a_journal(*ids), a_shop(KEPT, CANCELLED))

    assert fault.startswith("a SocketFollower got")


def test_finds_answers_that_nobody_should_get() -> None:
    faults = faults_of(a_journal(*IDS, wrong=("POST /public/v1/orders: 500",)), a_shop(KEPT, CANCELLED))

    assert faults == ["1 answers were wrong: POST /public/v1/orders: 500"]
