"""Messages as RFC 5322 has them. Nothing that a person typed can add a header or an address."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

# Line ends, other controls, and what reorders text: none belongs in a header.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said, as plain text and as HTML."""

    subject: str
    text: str
    html: str


def message(
    letter: Letter, *, sender: tuple[str, str], to: Sequence[tuple[str, str]], once_key: str, sent_at: datetime
) -> EmailMessage:
    """`sender` and `to` are names with addresses. The same `once_key` makes the same Message-ID.

    Raises ValueError for what is no address.
    """
    ascii_only = all(address.isascii() for _, address in (sender, *to))
    made = EmailMessage(policy=SMTP if ascii_only else SMTPUTF8)
    made["From"] = _address(*sender)
    made["To"] = [_address(name, address) for name, address in to]
    made["Subject"] = header_text(letter.subject)
    made["Date"] = sent_at
    made["Message-ID"] = message_id(once_key, sender[1])
    # So that no vacation notice answers (RFC 3834).
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text)
    made.add_alternative(letter.html, subtype="html")
    return made


def message_id(once_key: str, sender: str) -> str:
    digest = hashlib.sha256(once_key.encode()).hexdigest()[:32]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


def header_text(text: str) -> str:
    """One line without controls, and not long."""
    return _CONTROLS.sub(" ", text).encode(errors="replace").decode().strip()[:_LONGEST]


def _address(name: str, address: str) -> Address:
    if _CONTROLS.search(address):
        raise ValueError("an address is one line")
    if address.isascii():
        return Address(header_text(name), addr_spec=address)
    local, _, domain = address.rpartition("@")  # the library reads no other as a whole, but quotes it where it must
    return Address(header_text(name), local, domain)
