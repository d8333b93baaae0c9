#!/usr/bin/env bash
# Builds the training image. Usage: build_docker.sh [TAG]   (default featuremill-training:latest)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
case "${1:-}" in -h | --help) sed -n '2s/^# //p' "$0"; exit 0 ;; esac
exec docker build --tag "${1:-featuremill-training:latest}" .
