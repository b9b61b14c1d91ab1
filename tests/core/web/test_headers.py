from core.web.headers import headers_of, repeated


def test_headers_are_read_once() -> None:
    scope = {"headers": [(b"host", b"a.test"), (b"accept", b"*/*")]}

    first = headers_of(scope)

    assert first == {b"host": b"a.test", b"accept": b"*/*"}
    assert headers_of(scope) is first
    assert not repeated(scope)


def test_first_of_a_repeated_header_counts() -> None:
    scope = {"headers": [(b"host", b"a.test"), (b"accept", b"*/*"), (b"host", b"b.test")]}

    assert headers_of(scope) == {b"host": b"a.test", b"accept": b"*/*"}
    assert repeated(scope)


def test_request_without_headers_has_none() -> None:
    scope = {"headers": ()}

    assert headers_of(scope) == {}
    assert not repeated(scope)
