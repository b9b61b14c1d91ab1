"""The `portico` command, one file a group. Each loads what it needs when it runs, so that `--help` is quick."""

import typer

from gateway.cli import contracts, db, doctor, keys, models, operations, products, serve, users, worker

app = typer.Typer(
    name="portico",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One commerce core behind isolated doors. Settings come from PORTICO_* variables or a .env file; "
    "`portico doctor` checks them. Exit codes: 0 done, 1 refused with one line on stderr, 2 wrong usage.",
)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(operations.app, name="operations")
app.add_typer(products.app, name="products")
app.add_typer(users.app, name="users")
app.command("contracts")(contracts.contracts)
app.command("doctor")(doctor.doctor)


def main() -> None:
    app()
