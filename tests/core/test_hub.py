from core.hub import MemoryHub


def test_only_subscribers_of_the_topic_are_woken_until_they_leave() -> None:
    hub, woken = MemoryHub(), []
    leave = hub.subscribe("events", lambda: woken.append("first"))
    hub.subscribe("events", lambda: woken.append("second"))
    hub.subscribe("other", lambda: woken.append("other"))

    hub.publish("events")
    leave()
    hub.publish("events")

    assert woken == ["first", "second", "second"]


def test_topic_without_subscribers_wakes_nobody() -> None:
    MemoryHub().publish("events")


def test_who_leaves_while_it_is_woken_keeps_nobody_from_being_woken() -> None:
    hub, woken = MemoryHub(), []
    leave = hub.subscribe("events", lambda: leave())  # noqa: PLW0108  it is not there yet
    hub.subscribe("events", lambda: woken.append("second"))

    hub.publish("events")

    assert woken == ["second"]
