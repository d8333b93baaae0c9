#!/usr/bin/env bash
# Trains in the container, as SageMaker would.
# Usage: train_local.sh FOLDER [TAG]
#   FOLDER/input/config/hyperparameters.json     like {"task": "binary"}
#   FOLDER/input/data/train/                     parquet, csv (label first, no header) or libsvm
#   FOLDER/input/data/manifest/manifest.json     what the columns are; may be left out
# Writes FOLDER/model, FOLDER/output/data and, if it fails, the reason to FOLDER/output/failure.
set -euo pipefail
case "${1:-}" in "" | -h | --help) sed -n '2,7s/^# //p' "$0"; exit 0 ;; esac
folder=$(cd "$1" 2>/dev/null && pwd) || { echo "error: there is no folder $1" >&2; exit 2; }
[ -d "$folder/input/data/train" ] || { echo "error: $folder has no input/data/train" >&2; exit 2; }
config=$folder/input/config
mkdir -p "$config" "$folder/model" "$folder/output/data"
[ -f "$config/hyperparameters.json" ] || { echo "error: $config/hyperparameters.json is missing; write {\"task\": \"binary\"} into it" >&2; exit 2; }
[ -f "$config/resourceconfig.json" ] ||
  echo '{"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}' >"$config/resourceconfig.json"
if [ ! -f "$config/inputdataconfig.json" ]; then
  {
    printf '{'
    separator=
    for channel in "$folder"/input/data/*/; do
      type=application/x-parquet
      ls "$channel"*.csv >/dev/null 2>&1 && type=text/csv
      ls "$channel"*.libsvm >/dev/null 2>&1 && type=text/libsvm
      ls "$channel"*.json >/dev/null 2>&1 && type=application/json
      printf '%s"%s": {"ContentType": "%s", "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}' \
        "$separator" "$(basename "$channel")" "$type"
      separator=', '
    done
    printf '}\n'
  } >"$config/inputdataconfig.json"
fi
exec docker run --rm --volume "$folder:/opt/ml" "${2:-featuremill-training:latest}" train
