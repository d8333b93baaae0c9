#!/usr/bin/env bash
# Runs tests/interop: other people's clients against the local SageMaker. They need packages that do not go with the
# project's own, so they live in an environment of their own, .venv-interop (about 1 GB; made once).
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.venv-interop
python="${PYTHON:-.venv/bin/python}"

if [ ! -x "$environment/bin/aws" ] || [ ! -e "$environment/.complete" ]; then
  echo "making $environment (AWS CLI, SageMaker SDK); this takes some minutes"
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet -r scripts/requirements-interop.txt
  echo "*" >"$environment/.gitignore"
  touch "$environment/.complete"
fi
exec .venv/bin/python -m pytest tests/interop "$@"
