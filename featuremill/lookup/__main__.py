"""`python -m featuremill.lookup`: serve the online store of a project, or the one named."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from featuremill.errors import FeaturemillError
from featuremill.lookup.service.server import serve
from featuremill.lookup.service.settings import TOKENS_VARIABLE, ServiceSettings, default_root
from featuremill.spec.environment import CHOICE, load_environment
from featuremill.spec.project import find_project


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped. 0, or the exit code of the error printed."""
    given = _parser().parse_args(arguments)
    try:
        serve(settings_of(given))
    except FeaturemillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m featuremill.lookup", description=__doc__)
    parser.add_argument("--project", type=Path, help="the project's folder; without it and --root, the nearest one")
    parser.add_argument(
        "--environment", default=os.environ.get(CHOICE) or "local", help=f"default: ${CHOICE}, or local"
    )
    parser.add_argument("--root", help="the online store: a folder or an URL; default: the project's")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8008)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tokens", type=Path, help=f"file with tokens; default: the one named by {TOKENS_VARIABLE}")
    parser.add_argument("--request-log", choices=("off", "on", "hash"), default="off")
    return parser


def settings_of(given: argparse.Namespace) -> ServiceSettings:
    """The settings that arguments ask for. Raises UsageError where there is no such project."""
    project = given.project
    if project is not None or given.root is None:
        project = find_project(project)
    root = given.root or default_root(load_environment(project, given.environment))
    tokens = given.tokens or (Path(os.environ[TOKENS_VARIABLE]) if os.environ.get(TOKENS_VARIABLE) else None)
    return ServiceSettings(
        root=root,
        project=project,
        environment=given.environment,
        host=given.host,
        port=given.port,
        workers=given.workers,
        tokens=tokens,
        request_log=given.request_log,
    )


if __name__ == "__main__":
    sys.exit(main())
