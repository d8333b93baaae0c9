#!/usr/bin/env bash
# Stops the services that start.sh started here, and nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ ! -x .venv/bin/featuremill ]; then
  echo "Nothing to stop: start.sh was never run here."
  exit 0
fi
.venv/bin/featuremill services stop
