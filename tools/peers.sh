# shellcheck shell=bash
# Sourced by tools/bench: what ooblexd is compared with, all of it in .venv-peers.
#
#   install_peers            what is missing; each peer on its own
#
# Python packages are wheels in .venv-peers/packages, or in an environment of the peer's
# own where they are many; programs are taken out of Debian's packages into
# .venv-peers/root, and the machine stays as it is. A peer that cannot be had leaves its
# reason in .venv-peers/NAME.missing, and the tables say so.

# The folder of a peer's packages depends on the interpreter and the machine.
install_peers() {
    peers=$root/.venv-peers
    local wanted
    wanted=$("$venv/bin/python" -VV && uname -m && sha256sum <"$root/tools/peers.sh")
    if [[ ! -f $peers/.made-for || $(<"$peers/.made-for") != "$wanted" ]]; then
        rm -rf -- "$peers"
        mkdir -p -- "$peers/root" "$peers/packages"
        printf '%s\n' "$wanted" >"$peers/.made-for"
    fi
    install_peer iceoryx2 peer_wheels iceoryx2
    install_peer zeromq peer_wheels pyzmq
    install_peer redis peer_redis
    install_peer ffmpeg peer_program ffmpeg
    install_peer motion peer_program motion
    install_peer vidgear peer_environment vidgear 'vidgear[asyncio]==0.3.6' \
        opencv-python-headless
}

# install_peer NAME COMMAND...: unless it is there; what fails now is tried next time.
install_peer() {
    local name=$1
    shift
    [[ ! -f $peers/$name.installed ]] || return 0
    say "installing the peer $name into $peers"
    if "$@" >"$peers/$name.log" 2>&1; then
        rm -f -- "$peers/$name.missing"
        : >"$peers/$name.installed"
    else
        tail -n 1 -- "$peers/$name.log" >"$peers/$name.missing"
        say "not to be had: $(<"$peers/$name.missing")"
    fi
}

peer_wheels() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
        --quiet --only-binary=:all: --upgrade --target "$peers/packages" "$@" </dev/null
}

# peer_environment NAME PACKAGE...: what needs other versions than the rest may.
peer_environment() {
    local environment=$peers/$1
    shift
    rm -rf -- "$environment"
    "$venv/bin/python" -m venv "$environment" || return
    "$environment/bin/python" -m pip install --disable-pip-version-check \
        --progress-bar off --quiet --only-binary=:all: "$@" </dev/null
}

peer_redis() {
    peer_wheels redis hiredis || return
    peer_program redis-server
}

# peer_program PACKAGE: one that brings a program of its own name, unless it is there.
peer_program() {
    [[ -n $(command -v "$1") ]] || peer_programs "$1"
}

# peer_programs PACKAGE: it and what it needs that this machine lacks, unpacked.
peer_programs() {
    if [[ -z $(command -v apt-get) ]]; then
        printf '%s\n' "there is no apt-get, and no $1 on the PATH"
        return 1
    fi
    local packages folder=$peers/$1.debs package status=0
    if ! apt-cache show -- "$1" >/dev/null 2>&1 && [[ $(id -u) == 0 ]]; then
        apt-get update -qq
    fi
    packages=$(apt-get install -s --no-install-recommends "$1" |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p') || return
    mkdir -p -- "$folder"
    # shellcheck disable=SC2086 # names of packages, one a word
    (cd -- "$folder" && apt-get download -qq $packages) || status=$?
    if [[ $status == 0 ]]; then
        for package in "$folder"/*.deb; do
            dpkg-deb -x "$package" "$peers/root" || status=$?
        done
    fi
    rm -rf -- "$folder"
    return "$status"
}
