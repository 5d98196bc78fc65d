#!/usr/bin/env bash
# Run the unit tests under each Python and with the oldest, the newest and the
# forked versions of what mmcoop stands on, and print a table of the outcome.
#
#   bash tools/dev/matrix.sh              all rows
#   bash tools/dev/matrix.sh py312 forks  some rows
#
# An interpreter is looked for on PATH and among pyenv's; a row without one is
# reported as "no interpreter". Each row has an environment of its own below
# $MATRIX (default: .matrix), which is kept, so that a second run starts at
# once; several gigabytes each with a torch for GPUs. TESTS says what is run.
set -uo pipefail
cd "$(dirname "$0")/../.."
MATRIX=${MATRIX:-.matrix}
TESTS=${TESTS:-tests/unit}

OLDEST='torch==2.6.0 torchvision==0.21.0 mmengine==0.10.7 mmcv-lite==2.0.1
    mmpretrain==1.2.0 open_clip_torch==3.0.0 numpy<2'
FORKS='onedl-mmengine onedl-mmcv onedl-mmpretrain'
# row, Python, what is installed first; the rest is the newest that fits
ROWS=(
    "oldest|3.10|$OLDEST"
    'py310|3.10|'
    'py311|3.11|'
    'py312|3.12|'
    'py313|3.13|'
    "forks|3.11|$FORKS"
)
SHOWN='torch mmengine mmpretrain open_clip numpy'

interpreter() {
    local name
    for name in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        "$name" -c 'import venv' 2>/dev/null && echo "$name" && return
    done
    return 1
}

install() {  # python, environment, what is installed first
    [ -e "$2/.installed" ] && return
    rm -rf "$2"
    "$1" -m venv "$2" || return
    if [ -n "$3" ]; then
        # shellcheck disable=SC2086
        "$2/bin/python" -m pip install --quiet $3 || return
    fi
    "$2/bin/python" -m pip install --quiet --editable '.[test]' &&
        touch "$2/.installed"
}

versions() {
    "$1/bin/python" -W ignore - $SHOWN <<'PYTHON'
import importlib, platform, sys
found = (importlib.import_module(name).__version__ for name in sys.argv[1:])
print(platform.python_version(), *found, sep=' | ')
PYTHON
}

for name in "$@"; do
    if ! printf '%s\n' "${ROWS[@]}" | grep -q "^$name|"; then
        echo "matrix.sh: error: no row is called $name: choose from" \
            "$(printf '%s\n' "${ROWS[@]}" | sed -n 's/^\([a-z0-9]*\)|.*/\1/p' |
                xargs)." >&2
        exit 2
    fi
done

mkdir -p "$MATRIX"
failed=0
table='| row | Python | torch | mmengine | mmpretrain | open_clip | numpy | unit tests |
|---|---|---|---|---|---|---|---|'
for entry in "${ROWS[@]}"; do
    IFS='|' read -r -d '' row python first <<<"$entry"
    if [ $# -gt 0 ] && [[ " $* " != *" $row "* ]]; then continue; fi
    env=$MATRIX/$row log=$MATRIX/$row.log
    if ! found=$(interpreter "$python"); then
        line="$python | | | | | | no interpreter"
    elif ! install "$found" "$env" "$(echo $first)" >"$log" 2>&1; then
        line="$python | | | | | | cannot be installed, see $log"
        failed=1
    else
        "$env/bin/python" -m pytest $TESTS -q -m 'not slow and not long' \
            -p no:cacheprovider >>"$log" 2>&1 || failed=1
        line="$(versions "$env") | $(tail -n 1 "$log" | sed 's/ in .*//; s/=//g')"
    fi
    echo "$row: $line" >&2
    table+=$'\n'"| $row | $line |"
done
echo "$table"
exit $failed
