"""What can be asked of the assistant, with the bounds of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from commerce.assistant.errors import InvalidConversation
from commerce.catalog.text import is_storable
from core.errors import FieldError

MAX_MESSAGES = 40
MAX_TEXT = 4_000  # characters of one message
MAX_CHARACTERS = 16_000  # of all: some 4,000 tokens, which small models take too
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Said:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Ask:
    """`stop_on_disconnect`: the run ends when who asked leaves. Raises InvalidConversation."""

    messages: tuple[Said, ...]
    stop_on_disconnect: bool = False

    def __post_init__(self) -> None:
        faults = list(_faults(self.messages))
        if faults:
            raise InvalidConversation(faults[0].message, errors=tuple(faults))

    @property
    def question(self) -> str:
        return self.messages[-1].content


def _faults(messages: Sequence[Said]) -> list[FieldError]:
    if not 1 <= len(messages) <= MAX_MESSAGES:
        return [FieldError("/messages", "invalid", f"a conversation has 1 to {MAX_MESSAGES} messages")]
    faults = [
        FieldError(
            f"/messages/{place}/content", "invalid", f"a message has 1 to {MAX_TEXT} characters, not only blanks"
        )
        for place, said in enumerate(messages)
        if not said.content.strip() or len(said.content) > MAX_TEXT or not is_storable(said.content)
    ]
    if not faults and sum(len(said.content) for said in messages) > MAX_CHARACTERS:
        faults = [FieldError("/messages", "too_long", f"a conversation has at most {MAX_CHARACTERS} characters in all")]
    if not faults and messages[-1].role != "user":
        faults = [FieldError(f"/messages/{len(messages) - 1}/role", "invalid", "the last message is the user's")]
    return faults
