#!/usr/bin/env bash
# Sets up .venv, starts the local services, makes the sample data and runs credit risk. Does only what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh

case "${1:-}" in
  -h | --help)
    cat <<'HELP'
Usage: ./start.sh [--services-only] [--airflow]

Sets everything up and runs the credit risk pipeline for 2020-12-31:
  1. .venv with the packages (and a Java runtime, if there is no Java 17 or newer)
  2. the Hive metastore, HiveServer2 and a local SageMaker, on ports of 127.0.0.1 that are free
  3. 777,715 sample loans under data/landing
  4. features in Hive (credit_risk.snapshot, credit_risk.training), a model trained on them, the model at an endpoint,
     and its predictions for every customer (credit_risk.predictions)

  --services-only   only 1 and 2
  --airflow         Airflow too, in 1 and 2; its DAGs are paused until you unpause them

Run again, it does only what is missing. ./stop.sh stops the services, ./reset.sh removes data/.
HELP
    exit 0
    ;;
esac
services_only= airflow=
for argument in "$@"; do
  case "$argument" in
    --services-only) services_only=yes ;;
    --airflow) airflow=yes ;;
    *) fail "unknown argument $argument; see ./start.sh --help" ;;
  esac
done

DS=2020-12-31
ensure_environment ${airflow:+airflow}
featuremill=.venv/bin/featuremill

$featuremill services start ${airflow:+--airflow}
[ -n "$services_only" ] && exit 0

if ! ls data/landing/credit_risk/loans/ds=$DS/*.csv >/dev/null 2>&1; then
  say "Making 777,715 sample loans"
  $featuremill sample credit_risk --out data/landing
fi

say "Running credit_risk for $DS"
$featuremill run credit_risk --ds $DS

query="SELECT id, nb_previous_loans, round(avg_amount_loans_previous, 2) AS avg_amount, round(probability, 4) AS probability, model_version FROM credit_risk.latest WHERE id = 5008804"
say "What is known and predicted of 5008804, from Hive"
echo "  $query"
$featuremill sql "$query"
say "Try next"
address=$({ $featuremill services status || true; } | awk '$1 == "lookup" { print $3 }')
cat <<HELP
  http://$address/                             a page: search an id
  curl http://$address/v1/credit_risk/5008804
  .venv/bin/featuremill tables                       what is published
  .venv/bin/featuremill sql "DESCRIBE credit_risk.snapshot"
  .venv/bin/featuremill plan credit_risk --ds $DS    what a run would do, and why
  .venv/bin/featuremill models credit_risk           the model, and what it showed
  .venv/bin/featuremill new mine --csv my.csv        a pipeline of your own
  ./stop.sh                                          stop the services
HELP
