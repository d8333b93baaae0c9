"""All commands, in the order in which people meet them. Each imports what it needs when it runs."""

from __future__ import annotations

import typer

from featuremill import __version__
from featuremill.cli import (
    authoring,
    looking,
    lookups,
    modelling,
    monitoring,
    plans,
    predicting,
    proving,
    runs,
    services,
    triggering,
)

app = typer.Typer(
    name="featuremill",
    help="Raw CSV to point-in-time features in parquet and Hive tables, from one YAML file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"featuremill {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("new")(authoring.new)
app.command("validate")(authoring.validate)
app.command("schema")(authoring.schema)
app.command("sample")(authoring.sample)
app.command("plan")(plans.plan)
app.command("run")(runs.run)
app.command("trigger")(triggering.trigger)
app.command("train")(modelling.train)
app.command("models")(modelling.models)
app.command("deploy")(modelling.deploy)
app.command("rollback")(modelling.rollback)
app.command("predict")(predicting.predict)
app.command("batch-predict")(predicting.batch_predict)
app.command("monitor")(monitoring.monitor)
app.command("prove")(proving.prove)
app.command("tables")(looking.tables)
app.command("sql")(looking.sql)
app.command("export")(looking.export)
app.command("gc")(looking.gc)
app.command("lookup")(lookups.lookup)
app.command("serve")(lookups.serve)
app.command("loadtest")(lookups.loadtest)
app.command("status")(services.status)
app.add_typer(services.app, name="services")
