"""TypeIDs: `prod_01h455vb4pex5vsknk084sn02q`, a kind and a UUIDv7 in Crockford base32 (typeid spec 0.3).

They sort by the time they were made and are stored as text.
"""

from typeid import TypeID


def new_id(prefix: str) -> str:
    """A new id of a kind, `prefix` being its lower-case name."""
    return str(TypeID(prefix))
