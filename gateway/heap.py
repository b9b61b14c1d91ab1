"""The garbage collector, and the quarter of a million objects that the code itself is: looked through again and again
while they are made, they cost a fifth of a start, and in every full collection after it.
"""

import gc


def hold() -> None:
    """Nothing is collected until `settle`."""
    gc.disable()


def settle() -> None:
    """What is there by now stays, and is not looked through again."""
    gc.freeze()
    gc.enable()
