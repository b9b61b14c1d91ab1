"""Which events a client wants of those that it may see: for the log as SQL, for streams as topics and a question."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, true

from commerce.accounts.principal import Principal
from commerce.events.envelope import EVENT_TYPES
from commerce.events.visibility import OWNED, author_of, is_visible, sees_what_is_owned, visible_to
from core.eventlog import Event, EventRow


@dataclass(frozen=True, slots=True)
class EventFilter:
    """`types` empty: all. `subject`: of this one alone."""

    principal: Principal
    types: frozenset[str] = frozenset()
    subject: str | None = None

    def sql(self) -> ColumnElement[bool]:
        """All but the types."""
        subject = EventRow.subject == self.subject if self.subject is not None else true()
        return and_(visible_to(self.principal), subject)

    def wants(self, event: Event) -> bool:
        """Exact; `topics` only spares most of the questions, and `topics_of` some."""
        return (
            (not self.types or event.type in self.types)
            and (self.subject is None or event.subject == self.subject)
            and is_visible(event, self.principal)
        )

    def topics(self) -> frozenset[str]:
        """At least one of those of each event that is wanted."""
        if self.subject is not None:
            return frozenset((_subject(self.subject),))
        types = self.types or frozenset(EVENT_TYPES)
        narrow = [*_persons(self.principal.owner), *sees_what_is_owned(self.principal)]
        return types | frozenset(f"{kind}@{each}" for kind in types for each in narrow)


def topics_of(event: Event) -> dict[str, bool]:
    """And whether all who follow the topic want the event. What belongs to somebody is told to them and to who sees
    everybody's, without asking everybody else.
    """
    subject = _subject(event.subject)
    if event.visibility not in OWNED:
        return {event.type: event.visibility == "everybody", subject: False}
    author = author_of(event) if event.visibility == "direct" else None
    narrow = [*_persons(event.owner_id, author), event.visibility]
    return {**{f"{event.type}@{each}": False for each in narrow}, subject: False}


def _persons(*ids: str | None) -> set[str]:
    """So marked that no id is taken for a visibility."""
    return {f":{each}" for each in ids if each is not None}


def _subject(subject: str) -> str:
    return f"subject:{subject}"
