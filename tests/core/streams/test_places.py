"""Places are counted by caller and in all, and given back however the stream ends."""

from contextlib import ExitStack

import pytest
from prometheus_client import REGISTRY

from core.streams.places import Places, TooManyStreams


def open_streams() -> float | None:
    return REGISTRY.get_sample_value("portico_streams", {"kind": "places-test"})


def test_caller_gets_so_many_places_and_another_caller_has_their_own() -> None:
    places = Places(2, 10, kind="places-test")

    with places.take("anna"), places.take("anna"):
        with pytest.raises(TooManyStreams) as refused, places.take("anna"):
            pass
        with places.take("bert"):
            assert open_streams() == 3

    assert refused.value.retry_after_seconds == 10
    assert open_streams() == 0


def test_all_callers_together_get_so_many_places() -> None:
    places = Places(2, 3, kind="places-test")

    with ExitStack() as stack:
        for key in ("anna", "bert", "carl"):
            stack.enter_context(places.take(key))
        with pytest.raises(TooManyStreams), places.take("dora"):
            pass

    with places.take("dora"):
        assert open_streams() == 1


def test_place_of_a_stream_that_fails_is_given_back() -> None:
    places = Places(1, 1, kind="places-test")

    with pytest.raises(ValueError, match="broke"), places.take("anna"):
        raise ValueError("broke")

    with places.take("anna"):
        assert open_streams() == 1
    assert open_streams() == 0
