#!/usr/bin/env bash
# Installs what the tests need into .venv and runs them all. Arguments go to pytest: ./test.sh tests/queries -k sums
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
ensure_environment airflow dev
if [ "$#" = 0 ]; then
  say "Style, types and walls"
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/mypy
  .venv/bin/lint-imports
fi
say "Tests"
exec .venv/bin/python -m pytest "$@"
