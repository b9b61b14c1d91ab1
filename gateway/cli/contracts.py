"""`portico contracts`: what the doors promise, as files that can be diffed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from core.settings import Settings
from gateway.cli.console import refuse

_SCHEMA = "schema.graphql"


def contracts(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs, and say what changed.")
    ] = False,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Write a schema.graphql that breaks clients of the one in DIR.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="FILE", exists=True, dir_okay=False, help="Compare with this SDL: a release's."
        ),
    ] = None,
) -> None:
    """Write openapi-v1.json, openapi-v2.json, asyncapi.json and schema.graphql.

    The GraphQL schema is compared with the one in DIR, or in FILE, which stands for what clients know. What breaks them
    is listed, and nothing is written.
    """
    documents = _documents()
    drifted = [name for name, text in documents.items() if _read(folder / name) != text]
    breaking = _say_changes(_read(against or folder / _SCHEMA), documents[_SCHEMA])
    if check and drifted:
        refuse(f"{', '.join(drifted)} in {folder} differ from the code: run `portico contracts {folder}`")
    if breaking and not allow_breaking:
        refuse(f"{breaking} of the changes to {_SCHEMA} break clients: see --allow-breaking")
    if check:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in drifted:
        (folder / name).write_text(documents[name])
    typer.echo(f"{len(drifted)} of {len(documents)} files written to {folder}")


def _say_changes(old: str | None, new: str) -> int:
    """Each on a line, those that break first. How many do."""
    from gateway.cli.schema_changes import Severity, schema_changes  # noqa: PLC0415  graphql-core is slow to load

    changes = schema_changes(old, new) if old is not None else []
    for severity, description in changes:
        typer.echo(f"{severity}: {description}")
    return sum(severity == Severity.BREAKING for severity, _ in changes)


def _documents() -> dict[str, str]:
    from graphql_api.schema import build_schema  # noqa: PLC0415  loads the whole web stack
    from public_api.app import version_documents  # noqa: PLC0415
    from public_api.realtime.asyncapi import asyncapi_document  # noqa: PLC0415

    settings = Settings()
    openapi = {
        f"openapi-{name}.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in version_documents(settings).items()
    }
    asyncapi = json.dumps(asyncapi_document(settings), indent=2, ensure_ascii=False) + "\n"
    return {
        **openapi,
        "asyncapi.json": asyncapi,
        _SCHEMA: build_schema(production=settings.is_production).as_str() + "\n",
    }


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
