#!/usr/bin/env bash
# Stops the local services and starts them again, then does what start.sh does, with its options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./stop.sh
exec ./start.sh "$@"
