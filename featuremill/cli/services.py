"""`featuremill services`: the local Hive metastore, HiveServer2, SageMaker, lookup and Airflow."""

from __future__ import annotations

from threading import Lock
from typing import Annotated

import typer
from rich.text import Text

from featuremill.cli.options import ProjectOption
from featuremill.cli.printing import StatusLine, err, note, out, print_table
from featuremill.cli.workspace import open_workspace
from featuremill.services.records import ServiceStatus
from featuremill.services.watch import Watch

app = typer.Typer(
    help="Start, stop and look at the local metastore, HiveServer2, SageMaker, lookup and Airflow.",
    no_args_is_help=True,
)


@app.command()
def start(
    airflow: Annotated[bool, typer.Option("--airflow", help="Airflow too; needs requirements-airflow.txt.")] = False,
    project: ProjectOption = None,
) -> None:
    """Start what does not run yet; returns when all of it answers."""
    from featuremill.services.lookup import LookupPlace
    from featuremill.services.status import SERVICES
    from featuremill.services.supervisor import start_services

    workspace = open_workspace(project)
    wanted = [name for name in SERVICES if name != "sagemaker" or workspace.environment.sagemaker.endpoint == "local"]
    place = LookupPlace(workspace.project.directory, workspace.environment.lookup)
    with StartDisplay() as display:
        start_services(
            workspace.state,
            only=wanted,
            ports=workspace.service_ports(),
            lookup=place,
            airflow=(workspace.project.directory, workspace.environment) if airflow else None,
            watch=display,
        )
    if airflow:
        from featuremill.services.airflow import USER, password_file

        out.print(f"Airflow's user is {USER}; the password is in {password_file(workspace.state)}")


@app.command()
def stop(project: ProjectOption = None) -> None:
    """Stop the services that were started from this project."""
    from featuremill.services.supervisor import stop_services

    stopped = stop_services(open_workspace(project).state, say=note)
    out.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(project: ProjectOption = None) -> None:
    """Say of each service whether it runs and answers, its memory and its log. Exit code 1 if one does not."""
    from featuremill.services.status import memory_of, service_status

    found = service_status(open_workspace(project).state)
    used = [memory_of(service.pid) if service.pid is not None else 0 for service in found]
    rows: list[tuple[object, ...]] = [
        (s.name, s.state, _address(s), s.pid, _megabytes(memory), s.log) for s, memory in zip(found, used, strict=True)
    ]
    rows.append(("all", "", "", None, _megabytes(sum(used)), ""))
    print_table(("service", "state", "address", "pid", "memory", "log"), rows, right=("pid", "memory"))
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)


@app.command()
def addresses(project: ProjectOption = None) -> None:
    """Say where the services that run are reached, and where the password of Airflow's user is."""
    from featuremill.services.airflow import API_SERVER, USER, password_file
    from featuremill.services.supervisor import endpoints

    workspace = open_workspace(project)
    running = {name: f"{host}:{port}" for name, (host, port) in endpoints(workspace.state).items()}
    password = f"user {USER}, its password is in {password_file(workspace.state)}"
    told = (
        ("Airflow", API_SERVER, "http://{}", password),
        ("lookup", "lookup", "http://{}", "a page: search an id"),
        ("HiveServer2", "hiveserver", "jdbc:hive2://{}", "any user name, no password"),
        ("metastore", "metastore", "thrift://{}", ""),
        ("SageMaker", "sagemaker", "http://{}", "AWS's API: boto3, aws --endpoint-url"),
        ("Spark Connect", "spark", "sc://{}", ""),
    )
    rows = [(title, url.format(running[name]), remark) for title, name, url, remark in told if name in running]
    print_table(("service", "address", ""), [*rows, ("logs", str(workspace.state / "logs"), "")])


def _address(service: ServiceStatus) -> str:
    """Of Airflow's processes only the api-server listens; the others are known by its port."""
    from featuremill.services.airflow import AIRFLOW, API_SERVER

    listens = service.port is not None and (service.name == API_SERVER or service.name not in AIRFLOW)
    return f"{service.host}:{service.port}" if listens else ""


def _megabytes(number: int) -> str:
    return f"{number / 1e6:,.0f} MB" if number else ""


class StartDisplay(StatusLine, Watch):
    """A line for each service that answers; on a terminal, those that are waited for as well."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._awaited: dict[str, str] = {}

    def says(self, text: str) -> None:
        note(text)

    def starts(self, name: str, title: str, address: str) -> None:
        with self._lock:
            self._awaited[name] = title
            if self._status is None:
                err.print(Text(f"starting {title} on {address}", style="dim"), soft_wrap=True)
            self._show()

    def ready(self, status: ServiceStatus) -> None:
        with self._lock:
            self._awaited.pop(status.name, None)
            took = f"started in {status.seconds:.0f} s" if status.started_now and status.seconds else "runs"
            line = Text(f"{status.name:<21} {_address(status):<15}  ") + Text(took, style="dim")
            out.print(Text("✓ ", style="green") + line, soft_wrap=True)
            self._show()

    def _show(self) -> None:
        if self._status and self._awaited:
            self._status.update(f"waiting for {', '.join(self._awaited.values())}")
