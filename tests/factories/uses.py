"""What was used, and how often, as it is written down."""

from commerce.usage.entities import Kind
from commerce.usage.recorder import UseRecorder
from commerce.usage.repository import UseRepository

Uses = dict[tuple[str, str, str], int]  # by subject, client and its version


async def uses_of(recorder: UseRecorder, kind: Kind) -> Uses:
    """All up to now: a transaction that writes stands behind what the recorder is writing by itself."""
    await recorder.flush()
    async with recorder._database.write() as session:
        found = await UseRepository(session).by_subject(kind)
    return {(subject, each.name, each.version): each.uses for subject, some in found.items() for each in some}
