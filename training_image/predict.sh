#!/usr/bin/env bash
# Sends a file to a model that serve_local.sh serves, and prints the predictions.
# Usage: predict.sh FILE [TYPE] [PORT]   (TYPE by the file's ending: text/csv or application/json; port 8080)
set -euo pipefail
case "${1:-}" in "" | -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
[ -f "$1" ] || { echo "error: there is no file $1" >&2; exit 2; }
type=${2:-}
case "$type:$1" in
  ?*:*) ;;
  *.json) type=application/json ;;
  *.jsonl | *.jsonlines) type=application/jsonlines ;;
  *.parquet) type=application/x-parquet ;;
  *) type=text/csv ;;
esac
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=$(curl --silent --show-error --output "$answer" --write-out '%{http_code}' \
  --header "Content-Type: $type" --data-binary "@$1" "http://127.0.0.1:${3:-8080}/invocations")
cat "$answer"
echo
[ "$status" -lt 300 ] || { echo "error: the model answered with status $status" >&2; exit 1; }
