"""`featuremill lookup`, `serve` and `loadtest`: what is known of an id, and the service that answers that."""

from __future__ import annotations

import itertools
import json
import random
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import UsageError

_SAMPLED = 100_000


class RequestLog(StrEnum):
    off = "off"
    on = "on"
    hash = "hash"


def lookup(
    name: PipelineArgument,
    identity: Annotated[str, typer.Argument(metavar="ID", help="The entity, like 5008804.")],
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DAY", help="As it was published then.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Have the endpoint predict now.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also what each feature contributed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer of the service, as JSON.")] = False,
    project: ProjectOption = None,
) -> None:
    """Say what is known of an id, and what is predicted. Needs no running lookup service."""
    from featuremill.lookup.in_process import ask
    from featuremill.lookup.service.settings import ServiceSettings

    workspace = open_workspace(project)
    workspace.pipeline(name)
    options = {"as_of": one_day(as_of)} if as_of is not None else {}
    options |= {word: "true" for word, wanted in (("live", live), ("explain", explain)) if wanted}
    settings = ServiceSettings(root=workspace.online_root, project=workspace.project.directory)
    answer = ask(settings, name, identity, options)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    _print(name, answer)


def _print(name: str, answer: dict[str, Any]) -> None:
    days = answer["freshness_seconds"] // 86_400
    out.print(f"{name} {answer['id']}, as of {answer['as_of']} ({days} days ago)")
    if answer["prediction"]:
        print_table(("prediction", ""), [(key, _shown(value)) for key, value in answer["prediction"].items()])
    added = (answer.get("explanation") or {}).get("contributions")
    if not isinstance(added, dict):
        print_table(("feature", "value"), [(key, _shown(value)) for key, value in answer["features"].items()])
    else:
        order = sorted(answer["features"], key=lambda key: -abs(added.get(key, 0.0)))
        rows = [(key, _shown(answer["features"][key]), f"{added.get(key, 0.0):+.4f}") for key in order]
        print_table(("feature", "value", "contribution"), rows, right=("contribution",))
    for key in ("live", "live_detail", "explanation_reason"):
        if key in answer:
            out.print(f"{key}: {_shown(answer[key])}")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else str(value)


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Left out: the environment's.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Left out: the environment's, or 8008.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Left out: the environment's.")] = None,
    tokens: Annotated[Path | None, typer.Option("--tokens", help="A file with the tokens that may ask.")] = None,
    request_log: Annotated[
        RequestLog | None, typer.Option("--request-log", help="A line a request; hash hides the ids.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Serve lookups until stopped: GET /v1/NAME/ID, and a page for people at /."""
    from featuremill.lookup.service.server import serve as serve_lookup
    from featuremill.lookup.service.settings import ServiceSettings

    workspace = open_workspace(project)
    configured = workspace.environment.lookup
    chosen = port if port is not None else configured.port if isinstance(configured.port, int) else 8008
    token_file = tokens or (Path(configured.tokens) if configured.tokens else None)
    settings = ServiceSettings(
        root=workspace.online_root,
        project=workspace.project.directory,
        host=host or configured.host,
        port=chosen,
        workers=workers or configured.workers,
        tokens=token_file,
        request_log=request_log.value if request_log else configured.request_log,
    )
    note(f"http://{settings.host}:{settings.port}/")
    serve_lookup(settings)


def loadtest(
    name: PipelineArgument,
    rate: Annotated[float, typer.Option("--rate", help="Requests a second.")] = 1_000.0,
    seconds: Annotated[float, typer.Option("--seconds", help="For how long.")] = 10.0,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Connections that are kept open.")] = 16,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1_000, help="Ids a request.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    project: ProjectOption = None,
) -> None:
    """Ask the running lookup service for ids at random, at a fixed rate, and report latency percentiles.

    A latency counts from when its request was due, so a service that stalls is seen to stall. Exit code 1 if a
    request failed.
    """
    from featuremill.lookup.loadtest import Load, lookup_bodies, lookup_paths, run

    workspace = open_workspace(project)
    ids = _ids(workspace, name)
    host, port = workspace.lookup()
    several = batch > 1
    paths = [f"/v1/{name}/lookup"] if several else lookup_paths(name, ids)
    bodies = lookup_bodies(ids, batch, 1_000) if several else []
    report = run(Load(host, port, paths, rate, seconds, connections, bodies))
    typer.echo(json.dumps(report.to_json(), indent=1) if as_json else report.text())
    if report.errors:
        raise typer.Exit(1)


def _ids(workspace: Workspace, name: str) -> list[Any]:
    """Up to 100,000 ids of the store, in a random order that is always the same."""
    from featuremill.lookup.publication import open_store
    from featuremill.lookup.records import RecordFormat
    from featuremill.lookup.store.lmdb_store import LmdbStore

    store = open_store(workspace.online_root, name)
    if not isinstance(store, LmdbStore):
        raise UsageError("a load test takes its ids from a store in a folder; this one is elsewhere")
    records = RecordFormat(store.manifest)
    ids = [records.decode(value)["id"] for _, value in itertools.islice(store.items(), _SAMPLED)]
    store.close()
    random.Random(1).shuffle(ids)
    return ids
