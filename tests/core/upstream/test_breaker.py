"""When an upstream is left alone, and how it comes back."""

from core.upstream.breaker import Breaker, Permit, Rules, State


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Case:
    def __init__(self) -> None:
        self.time = Time()
        self.told: list[State] = []
        self.breaker = Breaker(self.time, Rules(least=4), changed=self.told.append)

    def permit(self) -> Permit:
        permit = self.breaker.admit()
        assert permit is not None
        return permit

    def see(self, outcomes: str) -> None:
        for outcome in outcomes:
            (self.breaker.failed if outcome == "x" else self.breaker.succeeded)(self.permit())

    def opened(self) -> "Case":
        self.see("xxxx")
        return self


def test_it_opens_where_half_of_enough_calls_failed() -> None:
    case = Case()

    case.see("xx.")
    assert case.told == []
    case.see("x")

    assert case.told == ["open"]
    assert case.breaker.admit() is None


def test_few_failures_among_many_successes_are_borne() -> None:
    case = Case()

    case.see("..x.." * 20)

    assert case.told == []


def test_success_does_not_open_it_whatever_failed_before() -> None:
    case = Case()

    case.see("xxx")
    case.breaker.succeeded(case.permit())

    assert case.told == []


def test_what_is_older_than_the_window_counts_no_more() -> None:
    case = Case()
    case.see("xxx")
    case.time.seconds += 30

    case.see("x..")

    assert case.told == []


def test_after_its_rest_exactly_one_call_is_let_through() -> None:
    case = Case().opened()
    case.time.seconds += 9.9
    assert case.breaker.admit() is None
    case.time.seconds += 0.1

    admitted = [case.breaker.admit() for _ in range(5)]

    assert [permit is not None for permit in admitted] == [True, False, False, False, False]
    assert case.told == ["open", "half_open"]


def test_probe_that_succeeds_closes_it_with_a_clean_sheet() -> None:
    case = Case().opened()
    case.time.seconds += 10

    case.see(".")
    case.see("xxx")

    assert case.told == ["open", "half_open", "closed"]


def test_probe_that_fails_opens_it_for_another_whole_rest() -> None:
    case = Case().opened()
    case.time.seconds += 10

    case.see("x")
    case.time.seconds += 9.9

    assert case.told == ["open", "half_open", "open"]
    assert case.breaker.admit() is None
    case.time.seconds += 0.1
    assert case.breaker.admit() is not None


def test_probe_that_was_given_up_leaves_its_place_to_the_next() -> None:
    case = Case().opened()
    case.time.seconds += 10

    case.breaker.released(case.permit())

    assert case.breaker.admit() is not None


def test_call_of_before_says_nothing_of_the_state_of_now() -> None:
    case = Case()
    early = [case.permit() for _ in range(3)]
    case.opened()
    case.time.seconds += 10
    case.permit()

    case.breaker.succeeded(early[0])
    case.breaker.failed(early[1])
    case.breaker.released(early[2])

    assert case.told == ["open", "half_open"]
    assert case.breaker.admit() is None
