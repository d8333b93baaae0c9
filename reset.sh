#!/usr/bin/env bash
# Stops the services and removes what the project made here: data/, and with --all the environment .venv too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
yes=0 all=0
for argument in "$@"; do
  case "$argument" in
    --yes) yes=1 ;;
    --all) all=1 ;;
    -h | --help)
      echo "Usage: ./reset.sh [--yes] [--all]"
      echo "Stops the services and removes data/ (landing zone, warehouse, metastore, Airflow's database, logs)."
      echo "  --all   removes the environment .venv as well"
      echo "  --yes   does not ask"
      exit 0
      ;;
    *) echo "error: unknown argument $argument; see ./reset.sh --help" >&2; exit 2 ;;
  esac
done
targets=()
[ -e data ] && targets+=(data)
[ "$all" = 1 ] && [ -e .venv ] && targets+=(.venv)
if [ "${#targets[@]}" = 0 ]; then
  echo "Nothing to remove."
  exit 0
fi
if [ "$yes" != 1 ]; then
  printf 'Remove %s in %s? [y/N] ' "${targets[*]}" "$PWD"
  read -r answer || answer=
  case "$answer" in y | Y | yes) ;; *) echo "Nothing was removed."; exit 1 ;; esac
fi
# What it removes, no ./start.sh may be making.
hold start
./stop.sh 8>&-
rm -rf -- "${targets[@]}"
echo "Removed ${targets[*]}."
