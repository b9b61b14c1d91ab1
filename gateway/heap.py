"""The garbage collector, and the quarter of a million objects that the code itself is: looked through again and again
while they are made, they cost a fifth of a start, and in every full collection after it.
"""

import gc

# Objects in cycles that may wait to be found, a megabyte or so. With Python's own 700, the requests under way are
# looked through several times before they end, which takes a tenth of what a read costs.
_WAITING = 5_000


def hold() -> None:
    """Nothing is collected until `settle`."""
    gc.disable()


def settle() -> None:
    """What is there by now stays, and is not looked through again; what comes, seldom."""
    gc.freeze()
    gc.set_threshold(_WAITING, *gc.get_threshold()[1:])
    gc.enable()


def settle_again() -> None:
    """Once it has served for a while: what was loaded late stays too, and what the first requests made once."""
    gc.collect()
    gc.freeze()
