"""`portico models`: which versions of each model there are, which answers, and training."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

if TYPE_CHECKING:
    from commerce.training.trainers import Outcome, Tell
    from core.inference.artifacts import Manifest, Role

app = typer.Typer(
    no_args_is_help=True,
    help="Models: files that answer what goes with a product and how much of it will be asked for. They are trained "
    "each night, kept in the object store by their hash, and loaded by every server within seconds; where one is "
    "missing, too old or refused, a simpler rule answers and says so. docs/models.md has more.",
)
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


class ModelName(StrEnum):
    RECOMMENDATIONS = "recommendations"
    FORECAST = "forecast"


class Way(StrEnum):
    DEFAULT = "default"
    GRADIENT_BOOSTING = "gradient-boosting"


@app.callback()
def models() -> None:
    """Models."""


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the versions that are kept, by model, the newest first, and which of them answers.

    `current` answers, `shadow` is only compared with it, `kept` can be made current again with `portico models use`.
    """
    found = _listed(None)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=lambda moment: moment.isoformat()))
        return
    for each in found:
        typer.echo(
            f"{each.model:18} {each.version}  {each.role:8} {each.format:12} {each.size / 1024:9.1f} kB  "
            f"trained {each.trained_at:%Y-%m-%d %H:%M}"
        )
    if not found:
        typer.echo("no model was trained yet: `portico models train recommendations`", err=True)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as forecast.")],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="The current one, if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a version: its hash, what it learned from, and how good it was when it was tried."""
    wanted = [
        each for each in _listed(model) if each.version == version or (version is None and each.role == "current")
    ]
    if not wanted:
        refuse(f"there is no such version of {model}; `portico models list` has those that there are")
    if as_json:
        typer.echo(json.dumps(asdict(wanted[0]), default=lambda moment: moment.isoformat()))
        return
    for name, value in asdict(wanted[0]).items():
        if isinstance(value, dict):
            typer.echo(f"{name}:")
            for key, inner in value.items():
                typer.echo(f"  {key:20} {inner:.4f}" if isinstance(inner, float) else f"  {key:20} {inner}")
        else:
            typer.echo(f"{name + ':':22} {value}")


@app.command()
def train(
    model: Annotated[ModelName, typer.Argument(help="Which.")],
    way: Annotated[
        Way,
        typer.Option(
            "--with", help="gradient-boosting, of the forecast, takes minutes and pip install 'portico[train]'."
        ),
    ] = Way.DEFAULT,
    shadow: Annotated[bool, typer.Option("--shadow", help="Compare it with what answers, and no more.")] = False,
    as_job: Annotated[
        bool, typer.Option("--job", help="Leave it to a server or worker, and print the job's id.")
    ] = False,
) -> None:
    """Train a model from the orders, and publish it if it is good enough. Servers answer with it within seconds.

    Here and now, with a progress bar; as what runs each night with --job. A model that is worse than the simple rule
    which it is compared with is not published, and the exit code is 1.
    """
    role: Role = "shadow" if shadow else "current"
    if as_job:
        with refusals():
            typer.echo(asyncio.run(_asked(model.value, way.value, role)))
        return
    with refusals(), _progress(f"training {model.value}") as tell:
        outcome = asyncio.run(_trained(model.value, way.value, role, tell))
    for each in outcome.published:
        typer.echo(f"published {each.model} {each.version} ({each.role}, {each.size / 1024:.1f} kB)")
    if outcome.refusal is not None:
        refuse(f"{model.value} was not published: {outcome.refusal}")


@app.command()
def use(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as forecast.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="One that `portico models list` shows.")],
) -> None:
    """Make a version that is kept answer again, until the next is trained."""
    with refusals():
        asyncio.run(_used(model, version))
    typer.echo(f"{model} {version} is current")


def _listed(model: str | None) -> list["Manifest"]:
    from core.inference.artifacts import VersionRepository  # noqa: PLC0415  slow to load, as all here

    async def run() -> list["Manifest"]:
        async with current_database(settings_or_refuse()) as database, database.read() as session:
            return await VersionRepository(session).listed(model)

    with refusals():
        return asyncio.run(run())


async def _trained(model: Any, way: Any, role: "Role", tell: "Tell") -> "Outcome":
    from commerce.training.trainers import train as train_model  # noqa: PLC0415
    from core.resources import open_resources  # noqa: PLC0415

    settings = settings_or_refuse()
    async with current_database(settings):
        pass  # at its newest schema, or refused
    async with open_resources(settings, jobs=True) as resources:
        return await train_model(resources, model, tell, way=way, role=role)


async def _asked(model: Any, way: Any, role: "Role") -> str:
    from commerce.training.jobs import TrainModel, train_model  # noqa: PLC0415
    from core.resources import open_resources  # noqa: PLC0415

    settings = settings_or_refuse()
    async with current_database(settings):
        pass  # as above
    async with open_resources(settings) as resources:
        await resources.jobs.prepare()
        async with resources.database.write() as session:
            job = await resources.jobs.enqueue(session, train_model, TrainModel(model=model, way=way, role=role))
        return job.id


async def _used(model: str, version: str) -> None:
    from core.resources import open_resources  # noqa: PLC0415

    settings = settings_or_refuse()
    async with current_database(settings):
        pass  # as above
    async with open_resources(settings) as resources:
        await resources.models.artifacts.use(model, version, "current")


@contextmanager
def _progress(what: str) -> Iterator["Tell"]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda done: bar.update(task, completed=done)
