#!/usr/bin/env bash
# Measure Celeriac against Dramatiq and Celery on this machine. Arguments go to compare.py; --quick is a smoke test.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CELERIAC_BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/celeriac-bench}
compare=() startup=() limits=()
for argument in "$@"; do
    if [ "$argument" = --quick ]; then
        compare+=(--n 300 --rounds 1 --trips 50) startup+=(--rounds 3) limits+=(--n 2000 --rounds 1)
    else
        compare+=("$argument")
    fi
done
echo "The peers' environments and the results are in $cache" >&2
bash "$here/setup_venvs.sh" "$cache"
python "$here/compare.py" --venvs "$cache" --out "$cache/results.json" ${compare[@]+"${compare[@]}"}
echo
python "$here/startup.py" --venvs "$cache" ${startup[@]+"${startup[@]}"}
echo
"$cache/limits/bin/python" "$here/limits.py" ${limits[@]+"${limits[@]}"}
