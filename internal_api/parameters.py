"""What the operations of this door are asked about."""

from typing import Annotated

from pydantic import Field

# PostgreSQL cannot store NUL, nor look for it.
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
