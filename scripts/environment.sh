# Sets up .venv in the repository. Sourced by start.sh, test.sh and the others; not run by itself.
#
#   ensure_environment            what running needs
#   ensure_environment airflow    and Airflow
#   ensure_environment airflow dev    and what the tests need
#
# Only what is missing is done: each set of requirements leaves a stamp with its checksum.

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.12 python3.11 python3 python; do
    [ -n "$candidate" ] || continue
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local python
  python=$(find_python) || fail "Python 3.11 or 3.12 is needed and none is on the PATH; set PYTHON=/path/to/python3.11"
  say "Making the environment .venv with $("$python" --version)"
  rm -rf .venv
  # A Python without ensurepip (Debian's, without python3-venv) cannot put pip into the environment; uv or its own pip can.
  if ! "$python" -m venv .venv >/dev/null 2>&1; then
    rm -rf .venv
    if command -v uv >/dev/null 2>&1; then
      uv venv --quiet --python "$python" .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
      "$python" -m venv --without-pip .venv
    else
      fail "$python can make no environment: install its venv module (Debian: python3-venv) or pip"
    fi
  fi
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1 && ! command -v uv >/dev/null 2>&1; then
    "$python" -m pip --quiet --python .venv/bin/python install pip
  fi
}

# uv installs in half the time; pip does where uv is not to be had.
install() {
  if [ -x .venv/bin/uv ]; then
    .venv/bin/uv pip install --quiet --python .venv/bin/python "$@"
  elif command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python .venv/bin/python "$@"
  elif .venv/bin/python -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1; then
    install "$@"
  else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
  fi
}

# hold NAME: what has this name runs once at a time here. Says for whom it waits; holds until the script ends (descriptor 8).
hold() {
  command -v flock >/dev/null 2>&1 || return 0
  local file=".$1.lock"
  exec 8>>"$file"
  if ! flock -n 8; then
    say "Waiting for $(cat "$file"), which runs here"
    flock 8
  fi
  printf '%s (process %s, since %s UTC)\n' "$0" "$$" "$(date -u +%H:%M:%S)" >"$file"
}

# require_space MEGABYTES WHAT: ends with an error if the disk has less free.
require_space() {
  local free
  free=$(df -Pk . 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
  [ -z "$free" ] || [ "$free" -ge "$1" ] || fail "$free MB are free on the disk of $PWD; $2 needs $1 MB. Free some, then run again."
}

stamp_of() { cat "$@" | cksum | tr ' ' -; }

# ensure NAME MESSAGE CHECKSUM ARGUMENTS...: install once for this checksum.
ensure() {
  local name=$1 message=$2 checksum=$3
  shift 3
  local stamp=.venv/.featuremill-$name
  [ "$(cat "$stamp" 2>/dev/null)" = "$checksum" ] && return 0
  require_space 500 "installing packages"
  say "$message"
  install "$@" || fail "installing failed; the messages above say why. Run the command again to go on."
  printf '%s\n' "$checksum" >"$stamp"
}

has_java() {
  local java version
  for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" java; do
    [ -n "$java" ] && command -v "$java" >/dev/null 2>&1 || continue
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)
    [ -n "$version" ] && [ "$version" -ge 17 ] && return 0
  done
  return 1
}

ensure_environment() {
  exec 9>.environment.lock
  if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    say "Waiting for another process that installs packages here"
    flock 9
  fi
  if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; then
    require_space 3000 "the environment .venv"
    make_venv
  fi
  local packages more
  packages=$(stamp_of requirements.txt)
  case " $* " in
    *" airflow "*)
      # Both at once: the second would be resolved with the first all over again.
      ensure airflow "Installing packages and Airflow (a minute or two the first time)" \
        "$(stamp_of requirements.txt requirements-airflow.txt)" -r requirements.txt -r requirements-airflow.txt
      printf '%s\n' "$packages" >.venv/.featuremill-packages
      ;;
    *) ensure packages "Installing packages (a minute the first time)" "$packages" -r requirements.txt ;;
  esac
  ensure project "Installing featuremill" "$(stamp_of pyproject.toml)-$PWD" --no-deps --editable .
  if ! has_java; then
    ensure java "No Java 17 or newer is here: installing a runtime into .venv" "$(stamp_of scripts/requirements-java.txt)" \
      -r scripts/requirements-java.txt
  fi
  for more in "$@"; do
    [ "$more" != dev ] ||
      ensure dev "Installing the tools of the tests" "$(stamp_of requirements-dev.txt)" -r requirements-dev.txt
  done
  exec 9>&-
}
