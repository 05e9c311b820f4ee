#!/usr/bin/env bash
# Make or renew the environments of the peers: setup_venvs.sh DIRECTORY. Celery, Dramatiq and Taskiq: the latest releases, once (remove
# the directory for newer ones). Celeriac: this checkout, each time, with every plugin, as an installer would have it.
set -euo pipefail
directory=$1
python=${PYTHON:-python3}
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$directory"

pip() { "$directory/$1/bin/python" -m pip --disable-pip-version-check --quiet install "${@:2}"; }

peer() {
    [ -e "$directory/$1.complete" ] && return
    "$python" -m venv --clear "$directory/$1"
    pip "$@"
    touch "$directory/$1.complete"
}

# hiredis and orjson: what each of them uses where it is there.
peer celery 'celery[redis]' hiredis orjson
peer dramatiq 'dramatiq[redis,rabbitmq]' hiredis orjson
peer taskiq taskiq taskiq-redis taskiq-aio-pika hiredis uvloop orjson
peer limits hiredis orjson psutil

# Built from a copy: what earlier builds left in the checkout must not get into a wheel.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$checkout/core" "$checkout/plugins" "$copy"
find "$copy" \( -name build -o -name '*.egg-info' -o -name __pycache__ \) -type d -prune -exec rm -rf {} +
peer celeriac orjson
pip celeriac "$copy/core" "$copy"/plugins/*/
pip celeriac --force-reinstall --no-deps "$copy/core" "$copy"/plugins/*/
for name in celeriac celery dramatiq taskiq; do
    "$directory/$name/bin/python" -m pip --disable-pip-version-check freeze >"$directory/$name.freeze.txt"
done
