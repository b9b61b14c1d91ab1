"""TypeIDs: `prod_01h455vb4pex5vsknk084sn02q`, a kind and a UUIDv7 in Crockford base32 (typeid spec 0.3).

They sort by the time they were made and are stored as text.
"""

import uuid_utils
from typeid.base32 import encode


def new_id(prefix: str) -> str:
    """A new id of a kind, `prefix` being its lower-case name."""
    # What `str(TypeID(prefix))` is, without checking the prefix each time: an import makes hundreds of thousands.
    return f"{prefix}_{encode(uuid_utils.uuid7().bytes)}"
