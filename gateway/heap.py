"""The garbage collector, and the quarter of a million objects that the code itself is: looked through again and again
while they are made, they cost a fifth of a start, and in every full collection after it.
"""

import gc

_YOUNG = 10_000  # some megabytes of cycles, at most, until they are found


def hold() -> None:
    """Nothing is collected until `settle`."""
    gc.disable()


def settle() -> None:
    """What is there by now stays, and is not looked through again. What comes is looked through less often: a few
    hundred objects are those of requests that run, which end without a collection.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    gc.enable()
