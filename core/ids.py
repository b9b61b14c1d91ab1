"""TypeIDs: `prod_01h455vb4pex5vsknk084sn02q`, a kind and a UUIDv7 in Crockford base32 (typeid spec 0.3).

They sort by the time they were made and are stored as text.
"""

import secrets
import time

import uuid_utils
from typeid.base32 import encode


def new_id(prefix: str) -> str:
    """A new id of a kind, `prefix` being its lower-case name."""
    # What `str(TypeID(prefix))` is, without checking the prefix each time: an import makes hundreds of thousands.
    return f"{prefix}_{encode(uuid_utils.uuid7().bytes)}"


def new_secret_id(prefix: str) -> str:
    """As `new_id`, for what whoever knows its id may have: all bits but those of the time are from the system's source
    of secrets (74 of them, RFC 9562, 5.7), where a UUIDv7 as usual may count within a millisecond.
    """
    moment, chance = time.time_ns() // 1_000_000, secrets.randbits(74)
    number = moment << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (2**62 - 1)
    return f"{prefix}_{encode(number.to_bytes(16))}"
