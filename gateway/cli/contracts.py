"""`portico contracts`: what the doors promise, as files that can be diffed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from core.settings import Settings
from gateway.cli.console import refuse


def contracts(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs.")] = False,
) -> None:
    """Write openapi-v1.json, openapi-v2.json and schema.graphql."""
    documents = _documents()
    drifted = [name for name, text in documents.items() if _read(folder / name) != text]
    if check:
        if drifted:
            refuse(f"{', '.join(drifted)} in {folder} differ from the code: run `portico contracts {folder}`")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in drifted:
        (folder / name).write_text(documents[name])
    typer.echo(f"{len(drifted)} of {len(documents)} files written to {folder}")


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
        "schema.graphql": build_schema(production=settings.is_production).as_str() + "\n",
    }


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
