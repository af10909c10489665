#!/usr/bin/env bash
# Makes .venv with everything Graspo needs; asks nothing and may be run again.
# Needs python3 >= 3.11 and bash. PYTHON=... chooses the interpreter.
# shellcheck disable=SC2086  # unquoted variables here are lists of words
set -euo pipefail
cd "$(dirname "$0")/.."

constraints=.ci/constraints.txt
torch=$(grep '^torch==' "$constraints")
cpu_index=https://download.pytorch.org/whl/cpu
python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { echo "setup: $*"; }
die() { echo "setup: error: $*" >&2; exit 1; }

# Installs Debian packages if this user may; fails quietly if not.
install_system() {
    local as_root="sudo -n"
    [ "$(id -u)" != 0 ] || as_root=""
    { command -v apt-get && $as_root true; } >/dev/null 2>&1 || return 1
    say "installing system packages: $*"
    as_root="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq"
    $as_root update >/dev/null || true # an old list may still do
    $as_root install -y --no-install-recommends "$@" >/dev/null
}

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        command -v "$name" >/dev/null || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        echo "$name"
        return
    done
    die "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python"
}

make_venv() {
    local base=$1
    "$python" -m pip --version >/dev/null 2>&1 && return
    say "making .venv with $("$base" --version)"
    "$base" -c 'import ensurepip' 2>/dev/null || install_system python3-venv ||
        die "Python's venv module is missing: apt-get install python3-venv"
    "$base" -m venv --clear .venv
}

reaches() {
    "$python" - "$1" <<'EOF'
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5).close()
except OSError:
    sys.exit(1)
EOF
}

has_torch() {
    "$python" - "${torch#torch==}" 2>/dev/null <<'EOF'
import sys
from importlib.metadata import version
assert version("torch").split("+")[0] == sys.argv[1]
EOF
}

# The CPU build is a tenth of the default one, which carries CUDA. Where its index
# cannot be reached, whatever build the configured index has is taken.
install_torch() {
    local index=""
    has_torch && return
    if [ "$(uname)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1 && reaches $cpu_index
    then
        index="--extra-index-url $cpu_index"
    fi
    say "installing $torch $index"
    "$python" -m pip install -qq -c "$constraints" $index "$torch"
}

makes_images() {
    "$python" -c 'from envs.cameras.gl import open_context; open_context(64, 64)' 2>/dev/null
}

check_gl() {
    makes_images && return
    local packages
    packages=$("$python" -c 'from envs.cameras.gl import DEBIAN_PACKAGES as p; print(p)')
    install_system $packages && makes_images && return
    "$python" -c 'from envs.cameras.gl import open_context; open_context(64, 64)' 2>&1 |
        tail -n 1 >&2
    exit 1
}

base=$(find_python)
make_venv "$base"
install_torch
say "installing the other packages"
"$python" -m pip install -qq -c "$constraints" -e '.[train,test]'
check_gl
touch .venv/.complete
say "done: .venv with $("$python" -c 'import torch; print("torch", torch.__version__)')"
