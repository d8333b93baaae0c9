#!/usr/bin/env bash
# Sets up .venv, starts all local services, makes the sample data and has Airflow run credit risk. Does only what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh

case "${1:-}" in
  -h | --help)
    cat <<'HELP'
Usage: ./start.sh [--no-airflow] [--services-only]

Sets everything up and runs the credit risk pipeline for 2020-12-31:
  1. .venv with the packages (and a Java runtime, if there is no Java 17 or newer)
  2. the Hive metastore, HiveServer2, a local SageMaker, the lookup, Spark Connect and Airflow, on ports of 127.0.0.1
     that are free
  3. 777,715 sample loans under data/landing
  4. a run of the DAG credit_risk in Airflow: features in Hive (credit_risk.snapshot, credit_risk.training), a model
     trained on them, the model at an endpoint, and its predictions for every customer (credit_risk.predictions)

  --no-airflow      the light way: no Airflow and no Spark Connect; the same by `featuremill run`, with DuckDB
  --services-only   only 1 and 2

Run again, it does only what is missing. ./stop.sh stops the services, ./reset.sh removes data/.
HELP
    exit 0
    ;;
esac
services_only='' airflow=yes
for argument in "$@"; do
  case "$argument" in
    --services-only) services_only=yes ;;
    --no-airflow) airflow='' ;;
    *) fail "unknown argument $argument; see ./start.sh --help" ;;
  esac
done

DS=2020-12-31
featuremill() { .venv/bin/featuremill "$@" 8>&-; }

hold start
ensure_environment ${airflow:+airflow}
say "Starting the services"
featuremill services start ${airflow:+--airflow}
[ -z "$services_only" ] || exit 0

if ! ls data/landing/credit_risk/loans/ds=$DS/*.csv >/dev/null 2>&1; then
  say "Making 777,715 sample loans"
  featuremill sample credit_risk --out data/landing
fi

if [ -n "$airflow" ]; then
  say "Airflow runs credit_risk for $DS"
  featuremill trigger credit_risk --ds $DS
else
  say "Running credit_risk for $DS"
  featuremill run credit_risk --ds $DS
fi

query="SELECT id, nb_previous_loans, round(avg_amount_loans_previous, 2) AS avg_amount, round(probability, 4) AS probability, model_version FROM credit_risk.latest WHERE id = 5008804"
say "What is known and predicted of 5008804, from Hive"
echo "  $query"
featuremill sql "$query"
say "Where everything is"
featuremill services addresses
say "Try next"
cat <<HELP
  .venv/bin/featuremill lookup credit_risk 5008804   what is known and predicted of a customer
  .venv/bin/featuremill status                       every service: port, process, health, memory, log
  .venv/bin/featuremill tables                       what is published
  .venv/bin/featuremill sql "DESCRIBE credit_risk.snapshot"
  .venv/bin/featuremill plan credit_risk --ds $DS    what a run would do, and why
  .venv/bin/featuremill models credit_risk           the model, and what it showed
  .venv/bin/featuremill new mine --csv my.csv        a pipeline of your own
  ./stop.sh                                          stop the services
HELP
