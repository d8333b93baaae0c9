#!/usr/bin/env bash
# Make the zips of the two Lambda functions:
#
#   features.zip       handler featuremill.lookup.lambda_.handlers.features: what the online store holds
#   predictions.zip    handler featuremill.lookup.lambda_.handlers.predictions: what asks the endpoint; also for a
#                      features function that is to answer as_of and history, which read parquet
#
#   scripts/package_lambda.sh [--out DIR] [--arch x86_64|aarch64] [--project DIR]
#
# The runtime is python3.11. --project puts a project's configuration/ into predictions.zip, below project/: set
# FEATUREMILL_LOOKUP_PROJECT=/var/task/project. The same input gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

out=build/lambda arch=x86_64 project=
while [ $# -gt 0 ]; do
    case "$1" in
        --out) out=$2 ;;
        --arch) arch=$2 ;;
        --project) project=$2 ;;
        *) echo "unknown option $1; see the head of $0" >&2; exit 2 ;;
    esac
    shift 2
done
case "$arch" in
    x86_64 | aarch64) ;;
    *) echo "--arch is x86_64 or aarch64, not $arch" >&2; exit 2 ;;
esac
python=.venv/bin/python uv=.venv/bin/uv
[ -x "$uv" ] || { echo "there is no $uv; make the environment first: scripts/environment.sh" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# The versions that were tested together.
pinned() {
    local name
    for name in "$@"; do
        grep -i -E "^$name==" requirements.txt || "$uv" pip freeze --python "$python" | grep -i -E "^$name=="
    done
}

install() {
    local target=$1
    shift
    pinned "$@" > "$work/wanted.txt"
    # Copies, not links: what is pruned and stripped here must not be the environment's own files.
    "$uv" pip install --quiet --link-mode copy --target "$target" --python "$python" --python-version 3.11 \
        --python-platform "$arch-manylinux_2_28" --only-binary :all: -r "$work/wanted.txt"
}

# A function's folder may have 250 MB: what only developers and other services need stays out.
prune() {
    local target=$1 library
    rm -rf "$target"/bin "$target"/*/tests "$target"/numpy/*/tests "$target"/numpy/{distutils,f2py} \
        "$target"/pyarrow/{include,src} "$target"/pyarrow/*.{pyx,pxd,pxi} "$target"/pyarrow/libarrow_{flight,python_flight}.so* \
        "$target"/pyarrow/_{flight,pyarrow_cpp_tests}.*.so
    # The wheel holds several names of one library; the loader asks for the one with the short version.
    for library in "$target"/pyarrow/lib*.so.*; do
        if [ -e "$library" ]; then rm -f "${library%%.so.*}.so" "$library".*; fi
    done
    if [ -d "$target/botocore/data" ]; then
        find "$target/botocore/data" -mindepth 1 -maxdepth 1 -type d \
            ! -name dynamodb ! -name sagemaker ! -name sagemaker-runtime ! -name s3 ! -name sts -exec rm -rf {} +
    fi
    find "$target" -name __pycache__ -type d -prune -exec rm -rf {} +
    find "$target" -name '*.pyi' -delete
    # Symbols are a fifth of pyarrow. NumPy's libraries were laid out by a tool whose work strip undoes.
    find "$target" -name '*.so*' -type f ! -path '*/numpy*' -exec strip --strip-unneeded {} + 2> /dev/null ||
        echo "warning: strip is not there, or knows no $arch; the zips are larger than they need be" >&2
}

copy_code() {
    local target=$1 file
    find featuremill -type f ! -name '*.pyc' ! -path '*/sagemaker_local/*' ! -path '*/samples/*' -print0 |
        while IFS= read -r -d '' file; do
            mkdir -p "$target/$(dirname "$file")"
            cp "$file" "$target/$file"
        done
    mkdir -p "$target/training_image"
    cp training_image/__init__.py training_image/parameters.py "$target/training_image/"
}

pack() {
    "$python" - "$1" "$2" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        entry = zipfile.ZipInfo(str(path.relative_to(source)), (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, path.read_bytes())
size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
print(f"{target}: {target.stat().st_size / 1e6:.0f} MB, {size / 1e6:.0f} MB unpacked")
if size > 250 * 1024 * 1024:
    sys.exit(f"{target} unpacks to more than the 250 MB that Lambda takes; use a container image instead")
PYTHON
}

common=(boto3 lmdb orjson pydantic pyyaml redis sqlglot)

install "$work/features" "${common[@]}"
install "$work/predictions" "${common[@]}" duckdb hmsclient numpy psutil pyarrow thrift
for name in features predictions; do
    prune "$work/$name"
    copy_code "$work/$name"
done
if [ -n "$project" ]; then
    mkdir -p "$work/predictions/project"
    cp -R "$project/configuration" "$work/predictions/project/"
fi
pack "$work/features" "$out/features.zip"
pack "$work/predictions" "$out/predictions.zip"
