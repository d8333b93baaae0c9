"""What the jobs' commands share: a job file in, a report file out, an exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from featuremill.errors import DataError, FeaturemillError, ServiceError, UsageError
from spark_jobs.engine import SparkEngine
from spark_jobs.session import SparkSettings

Job = TypeVar("Job", bound=BaseModel)


def run_job(description: str, kind: type[Job], run: Callable[[SparkEngine, Job], BaseModel]) -> int:
    """Read --job, run it, write --report. Returns 0, or the error's code after saying on stderr what was wrong."""
    options = _options(description, kind)
    try:
        engine = SparkEngine(_settings(options))
        job = _read(options.job, kind)
        try:
            report = run(engine, job)
        finally:
            engine.close()
        _write(options.report, report)
    except FeaturemillError as error:
        print(f"error: {error}", file=sys.stderr)
        if options.error is not None:
            with contextlib.suppress(OSError):
                options.error.write_text(json.dumps({"kind": _kind(error), "message": str(error)}))
        return error.exit_code
    return 0


def _kind(error: FeaturemillError) -> str:
    """The kind of error that other programs know: what may pass by itself, what the data or the user has to mend."""
    known = (ServiceError, UsageError, DataError)
    return next((kind.__name__ for kind in known if isinstance(error, kind)), FeaturemillError.__name__)


def _options(description: str, kind: type[BaseModel]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description,
        epilog="Under spark-submit, --master and memory are spark-submit's own. Exit codes: 0 done, 1 the data or a "
        "service is at fault, 2 the command is.",
    )
    parser.add_argument("--job", required=True, type=Path, metavar="FILE", help=f"what to do: {kind.__name__} as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="where the report goes, as JSON (default: stdout)")
    parser.add_argument("--error", type=Path, metavar="FILE", help="where an error goes, as JSON: kind and message")
    parser.add_argument("--master", help="where Spark runs: local[*], spark://host:port (default: local[*])")
    parser.add_argument("--remote", metavar="sc://HOST:PORT", help="a Spark Connect server instead")
    parser.add_argument("--driver-memory", metavar="SIZE", help="memory of a Spark that is started here, like 4g")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="a Spark setting; repeatable")
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> SparkSettings:
    pairs = [text.partition("=") for text in options.conf]
    wrong = [key for key, sign, _ in pairs if not sign]
    if wrong:
        raise UsageError(f"--conf {wrong[0]}: write KEY=VALUE")
    given = {"master": options.master, "remote": options.remote, "driver_memory": options.driver_memory}
    conf = {key: value for key, _, value in pairs}
    try:
        return SparkSettings(conf=conf, **{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"]) from error


def _read(path: Path, kind: type[Job]) -> Job:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--job {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"--job {path} is no {kind.__name__}: {place}: {first['msg']}") from error


def _write(path: Path | None, report: BaseModel) -> None:
    text = report.model_dump_json(indent=2) + "\n"
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"--report {path}: {error.strerror}") from error
