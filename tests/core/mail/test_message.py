"""Messages: what a person typed stays where it belongs, and the same key is the same message."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mail.message import Letter, message, message_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENDER = ("Portico", "shop@example.com")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def made(name: str = "Ada", address: str = "ada@example.com", subject: str = "Hello") -> EmailMessage:
    letter = Letter(subject, "text", "<p>text</p>")
    return message(letter, sender=SENDER, to=[(name, address)], once_key="job_1:send", sent_at=NOW)


def read(sent: EmailMessage) -> EmailMessage:
    """As a mail server and a reader see it."""
    found = message_from_bytes(sent.as_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_name_and_no_subject_adds_a_header_or_an_address(name: str, subject: str) -> None:
    found = read(made(name=name, subject=subject))

    assert found.keys() == HEADERS
    assert [address.addr_spec for address in found["To"].addresses] == ["ada@example.com"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_line_ends_become_blanks(end: str) -> None:
    evil = f"Ada{end}Bcc: eve@example.com"

    found = read(made(name=evil, subject=evil))

    assert found["Bcc"] is None
    assert found["Subject"] == "Ada Bcc: eve@example.com"
    assert found["To"].addresses[0].display_name == "Ada Bcc: eve@example.com"


@pytest.mark.parametrize("address", ["ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        made(address=address)


def test_same_key_is_the_same_message_id() -> None:
    first, second = made(), made()

    assert first["Message-ID"] == second["Message-ID"] == message_id("job_1:send", "shop@example.com")
    assert message_id("job_2:send", "shop@example.com") != first["Message-ID"]


def test_address_beyond_ascii_is_written_as_utf_8() -> None:
    sent = made(name="Zoë", address="zoë@example.com")

    assert "zoë@example.com".encode() in sent.as_bytes()
