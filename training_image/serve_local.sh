#!/usr/bin/env bash
# Serves a trained model from the container, on this machine only.
# Usage: serve_local.sh FOLDER [TAG] [PORT]   (FOLDER/model is the model; port 8080)
set -euo pipefail
case "${1:-}" in "" | -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
folder=$(cd "$1" 2>/dev/null && pwd) || { echo "error: there is no folder $1" >&2; exit 2; }
[ -f "$folder/model/model.json" ] || { echo "error: $folder/model has no model; run train_local.sh first" >&2; exit 2; }
exec docker run --rm --init --volume "$folder:/opt/ml:ro" --publish "127.0.0.1:${3:-8080}:8080" \
  "${2:-featuremill-training:latest}" serve
