import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.sealing import InvalidToken, Keyring

SECRET = "a secret key for these tests"
KEYRING = Keyring(SecretStr(SECRET))
OTHER = Keyring(SecretStr(SECRET + "!"))


@given(st.binary())
def test_what_is_sealed_is_read_back_with_the_same_key_alone(plain: bytes) -> None:
    sealed = KEYRING.seal(plain)

    assert Keyring(SecretStr(SECRET)).open(sealed) == plain
    with pytest.raises(InvalidToken):
        OTHER.open(sealed)


@given(st.binary(min_size=4))
def test_sealed_text_hides_the_plain_one_and_differs_each_time(plain: bytes) -> None:
    one, other = KEYRING.seal(plain), KEYRING.seal(plain)

    assert plain not in one
    assert one != other


@pytest.mark.parametrize(
    "sealed",
    [b"", b"plain", KEYRING.seal(b"x")[:-4], KEYRING.seal(b"x")[4:]],
    ids=["nothing", "not sealed", "cut at the end", "cut at the start"],
)
def test_what_was_not_sealed_here_is_refused(sealed: bytes) -> None:
    with pytest.raises(InvalidToken):
        KEYRING.open(sealed)


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = {KEYRING.derive(purpose) for purpose in ("access-tokens", "sealing", "fingerprints")}

    assert {len(key) for key in keys} == {32}
    assert len(keys) == 3
    assert KEYRING.derive("access-tokens") == Keyring(SecretStr(SECRET)).derive("access-tokens")
    assert KEYRING.derive("access-tokens") != OTHER.derive("access-tokens")


@given(st.binary(), st.binary())
def test_fingerprints_tell_two_texts_apart(one: bytes, other: bytes) -> None:
    assert (KEYRING.fingerprint(one) == KEYRING.fingerprint(other)) == (one == other)
    assert KEYRING.fingerprint(one) != OTHER.fingerprint(one)


def test_no_key_is_shown() -> None:
    assert SECRET not in repr(KEYRING)
    assert SECRET not in str(KEYRING)
