# PgBouncer, which tests put in front of Postgres: found or installed.

# Sets PGBOUNCER. Without one, the tests of connection poolers fail and say why; the service does not need it.
provide_pgbouncer() {
    find_pgbouncer && return
    if install_pgbouncer_package && find_pgbouncer; then return; fi
    if unpack_pgbouncer_package && find_pgbouncer; then return; fi
    PGBOUNCER=
    say "There is no PgBouncer, and no way was found to install one: the tests of connection poolers will fail." \
        "Install it, for example: apt-get install pgbouncer"
}

find_pgbouncer() {
    for PGBOUNCER in "$(type -P pgbouncer)" /usr/sbin/pgbouncer "$CACHE/pgbouncer/run"; do
        if [[ $PGBOUNCER ]] && servant_can_run "$PGBOUNCER"; then return; fi
    done
    return 1
}

# Debian's package starts a server of the system's unless its unit is masked.
install_pgbouncer_package() {
    local unit=/etc/systemd/system/pgbouncer.service
    if ((EUID == 0)) && [[ -d ${unit%/*} && ! -e $unit ]]; then ln -s /dev/null "$unit" || return 1; fi
    install_packages pgbouncer
}

# Without root: the package and the libraries that few systems have, unpacked into the cache.
unpack_pgbouncer_package() {
    local folder package log=$STATE/packages.log
    local -a packages=(pgbouncer)
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "Unpacking pgbouncer into $CACHE"
    mapfile -t -O 1 packages < <(apt-cache depends pgbouncer 2>/dev/null |
        sed -nE 's/^ *\|?Depends: (lib(event|c-?ares)\S*).*/\1/p')
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/incomplete.XXXXXX")
    if ! (cd "$folder" && apt-get download -qq "${packages[@]}" &&
        for package in ./*.deb; do dpkg-deb -x "$package" . || exit; done) >>"$log" 2>&1; then
        show_end_of "$log"
        rm -rf "$folder"
        return 1
    fi
    cat >"$folder/run" <<'END'
#!/bin/sh
here=$(dirname "$(realpath "$0")")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu*) exec "$here/usr/sbin/pgbouncer" "$@"
END
    chmod 755 "$folder" "$folder/run"
    # Another clone may have been faster; either copy will do.
    mv -T "$folder" "$CACHE/pgbouncer" 2>/dev/null || rm -rf "$folder"
}
