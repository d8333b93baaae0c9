#!/usr/bin/env bash
# Builds the image and pushes it to the account's registry (ECR), which it makes if there is none.
# Usage: build_and_push.sh [NAME] [REGION]   (default featuremill-training; the region of the AWS configuration)
# Prints the image's URI, which belongs into the environment's file as sagemaker.image.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")"
name=${1:-featuremill-training}
region=${2:-${AWS_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || { echo "error: no region; give it as the second argument or set AWS_REGION" >&2; exit 2; }
account=$(aws sts get-caller-identity --query Account --output text)
suffix=amazonaws.com
case "$region" in cn-*) suffix=amazonaws.com.cn ;; esac
registry=$account.dkr.ecr.$region.$suffix
tag=$(git rev-parse --short=12 HEAD 2>/dev/null || date -u +%Y%m%d%H%M%S)
uri=$registry/$name:$tag
aws ecr describe-repositories --region "$region" --repository-names "$name" >/dev/null 2>&1 ||
  aws ecr create-repository --region "$region" --repository-name "$name" \
    --image-scanning-configuration scanOnPush=true >/dev/null
aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$registry" >&2
./build_docker.sh "$uri" >&2
docker push "$uri" >&2
echo "$uri"
