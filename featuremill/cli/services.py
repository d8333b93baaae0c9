"""`featuremill services`: the local Hive metastore, HiveServer2 and SageMaker."""

from __future__ import annotations

from typing import Annotated

import typer

from featuremill.cli.options import ProjectOption
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.workspace import open_workspace

app = typer.Typer(help="Start, stop and look at the local metastore, HiveServer2 and SageMaker.", no_args_is_help=True)


@app.command()
def start(
    airflow: Annotated[bool, typer.Option("--airflow", help="Airflow too; needs requirements-airflow.txt.")] = False,
    project: ProjectOption = None,
) -> None:
    """Start what does not run yet; returns when all of it answers."""
    from featuremill.services.lookup import LookupPlace
    from featuremill.services.supervisor import SERVICES, start_services

    workspace = open_workspace(project)
    wanted = [name for name in SERVICES if name != "sagemaker" or workspace.environment.sagemaker.endpoint == "local"]
    place = LookupPlace(workspace.project.directory, workspace.environment.lookup)
    started = start_services(
        workspace.state,
        only=wanted,
        ports=workspace.service_ports(),
        lookup=place,
        airflow=(workspace.project.directory, workspace.environment) if airflow else None,
        progress=note,
    )
    for service in started:
        took = f"started in {service.seconds:.0f} s" if service.started_now and service.seconds else "runs"
        out.print(f"{service.name:<21} {service.host}:{service.port}  {took}")
    if airflow:
        from featuremill.services.airflow import USER, password_file

        out.print(f"Airflow's user is {USER}; the password is in {password_file(workspace.state)}")


@app.command()
def stop(project: ProjectOption = None) -> None:
    """Stop the services that were started from this project."""
    from featuremill.services.supervisor import stop_services

    stopped = stop_services(open_workspace(project).state)
    out.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(project: ProjectOption = None) -> None:
    """Say of each service whether it runs and answers, and where its log is. Exit code 1 if one does not."""
    from featuremill.services.supervisor import service_status

    found = service_status(open_workspace(project).state)
    rows = [(s.name, s.state, f"{s.host}:{s.port}" if s.port else "", s.pid, s.log) for s in found]
    print_table(("service", "state", "address", "pid", "log"), rows)
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)
