"""What every command says alike."""

from typing import NoReturn

import typer


def refuse(message: str) -> NoReturn:
    """Ends the command with exit code 1 and one line on stderr."""
    typer.echo(f"portico: {' '.join(message.split())}", err=True)
    raise typer.Exit(1)
