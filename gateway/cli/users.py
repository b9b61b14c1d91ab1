"""`portico users`: people with an account."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from commerce.accounts.principal import Role
from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

app = typer.Typer(no_args_is_help=True, help="People with an account.")
_PIPED_BYTES = 4096  # of which a password is the first line


@app.callback()
def users() -> None:
    """People with an account."""


@app.command()
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="What they sign in with.")],
    role: Annotated[Role, typer.Option(help="What they may; each role may do what those before it may.")],
    name: Annotated[str | None, typer.Option(help="For people; what stands before the @ if not given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, its first line.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Make an account and print its id, alone on stdout. Asks for a password on a terminal; without one, makes one and
    prints it on stderr, once.
    """
    from commerce.accounts.commands import RegisterUser  # noqa: PLC0415  slow to load
    from commerce.accounts.entities import User  # noqa: PLC0415
    from commerce.accounts.registration import add_user  # noqa: PLC0415
    from core.clock import SystemClock  # noqa: PLC0415

    async def run(command: RegisterUser) -> User:
        async with current_database(settings_or_refuse()) as database:
            return await add_user(database, SystemClock(), command, role, actor="cli")

    password, generated = _password(from_stdin=password_stdin)
    with refusals():
        user = asyncio.run(run(RegisterUser(email, password, name if name is not None else email.partition("@")[0])))
    if generated:
        typer.echo(f"password: {password}", err=True)
    shown = {"id": user.id, "email": user.email, "name": user.name, "role": user.role}
    typer.echo(json.dumps(shown) if as_json else user.id)


def _password(*, from_stdin: bool) -> tuple[str, bool]:
    """A password, and whether it was made here."""
    from commerce.accounts.passwords import random_password  # noqa: PLC0415  slow to load

    if from_stdin:
        line = sys.stdin.readline(_PIPED_BYTES).rstrip("\r\n")
        if not line:
            refuse("--password-stdin: there is no password on standard input")
        return line, False
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True), False
    return random_password(), True
