from core.upstream.calls import Reply
from core.upstream.last_good import LastGood
from core.upstream.retries import RetryBudget


def test_the_newest_answer_to_a_question_is_kept_with_its_age() -> None:
    now = [100.0]
    kept = LastGood(lambda: now[0])
    kept.keep(b"q", "old")
    kept.keep(b"q", "new")
    now[0] += 7

    assert kept.find(b"q") == Reply("new", 7.0)
    assert kept.find(b"other") is None


def test_too_old_an_answer_is_forgotten() -> None:
    now = [100.0]
    kept = LastGood(lambda: now[0], age_seconds=60)
    kept.keep(b"q", "a")
    now[0] += 60
    assert kept.find(b"q") == Reply("a", 60.0)
    now[0] += 0.1

    assert kept.find(b"q") is None
    now[0] -= 1
    assert kept.find(b"q") is None


def test_of_many_questions_the_last_are_kept() -> None:
    kept = LastGood(lambda: 0.0, most=2)
    for question in (b"1", b"2", b"1", b"3"):
        kept.keep(question, question)

    assert [kept.find(question) is not None for question in (b"1", b"2", b"3")] == [True, False, True]


def test_one_question_in_ten_may_be_asked_again() -> None:
    budget = RetryBudget()
    retries = 0
    for _ in range(1000):
        budget.earn()
        retries += budget.take()

    assert retries == 101  # the one that is there from the start
    assert not budget.take()


def test_retries_are_not_saved_up_without_bound() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.earn()

    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]
