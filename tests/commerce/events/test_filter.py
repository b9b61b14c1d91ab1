"""Topics spare questions and no events: whatever a client wants, it is asked about."""

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from commerce.accounts.principal import ANONYMOUS, ROLES, Principal
from commerce.events.envelope import EVENT_TYPES
from commerce.events.filter import EventFilter, topics_of
from commerce.events.visibility import SEEING, Visibility
from core.eventlog import Event
from tests.factories.clocks import NOON

USERS = st.sampled_from(["usr_ada", "usr_bob", "owner", "support"])
KEYS = st.sampled_from(["key1", "key2", "direct"])
TYPES = st.sampled_from(["order.placed", "support.message"])
SUBJECTS = st.sampled_from(["s1", "s2"])
SCOPE_SETS = st.frozensets(st.sampled_from(sorted(SEEING)))


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    scopes = draw(SCOPE_SETS)
    match draw(st.sampled_from(["user", "key", "shop", "anonymous"])):
        case "user":
            user = draw(USERS)
            return Principal("user", user, scopes, user_id=user, role=draw(st.sampled_from(ROLES)))
        case "key":
            role = draw(st.sampled_from(ROLES))
            return Principal("api_key", draw(KEYS), scopes, user_id=draw(USERS), role=role)
        case "shop":
            return Principal("api_key", draw(KEYS), scopes)
        case _:
            return ANONYMOUS


@st.composite
def events(draw: st.DrawFn) -> Event:
    author = draw(st.none() | USERS | KEYS)
    return Event(
        position=1,
        type=draw(TYPES),
        subject=draw(SUBJECTS),
        time=NOON,
        data={"author": {"id": author}} if author is not None else {},
        visibility=draw(st.sampled_from(get_args(Visibility))),
        owner_id=draw(st.none() | USERS),
    )


@settings(max_examples=1000, deadline=None)
@given(principals(), events(), st.just(frozenset()) | st.frozensets(TYPES), st.none() | SUBJECTS)
def test_client_is_subscribed_to_a_topic_of_each_event_that_it_wants(
    principal: Principal, event: Event, types: frozenset[str], subject: str | None
) -> None:
    wanted = EventFilter(principal, types, subject)

    if wanted.wants(event):
        assert not wanted.topics().isdisjoint(topics_of(event))


@settings(max_examples=1000, deadline=None)
@given(principals(), events(), st.just(frozenset()) | st.frozensets(TYPES), st.none() | SUBJECTS)
def test_client_that_is_not_asked_wants_the_event(
    principal: Principal, event: Event, types: frozenset[str], subject: str | None
) -> None:
    wanted = EventFilter(principal, types, subject)
    unasked = {topic for topic, all_want_it in topics_of(event).items() if all_want_it}

    if wanted.topics() & unasked:
        assert wanted.wants(event)


def test_nobody_is_asked_about_what_everybody_may_see() -> None:
    event = Event(1, "product.updated", "p1", NOON, {}, "everybody", None)

    assert topics_of(event) == {"product.updated": True, "subject:p1": False}


def test_customer_is_asked_about_no_order_and_no_room_of_another() -> None:
    """Of each thousand customers, only the one whose it is."""
    topics = EventFilter(Principal("user", "usr_ada", user_id="usr_ada", role="customer")).topics()

    for kind in ("owner", "support", "direct"):
        event = Event(1, "support.message", "r1", NOON, {"author": {"id": "usr_sue"}}, kind, "usr_bob")
        assert topics.isdisjoint(topics_of(event))
    assert topics >= set(EVENT_TYPES)
