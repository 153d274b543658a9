# An instance is one Postgres, one Redis and one service that belong together. `up`, `test` and `tour` have one each, so
# that none disturbs the others. What an instance keeps is in .dev/NAME.

# The folder of the instance that this run has taken; none yet.
INSTANCE=

# Takes an instance for this run. The lock goes with the process, however that ends.
open_instance() { # NAME
    local folder=$STATE/$1 owner address=
    mkdir -p "$folder"
    # Others may pass through to what is theirs: the user that root's Postgres runs as. Secrets are in closed files.
    chmod 711 "$STATE" "$folder"
    exec 9<>"$folder/lock"
    if ! flock --nonblock 9; then
        owner=$(cat "$folder/owner" 2>/dev/null) || owner=unknown
        [[ ! -e $folder/address ]] || address=" The service listens on $(cat "$folder/address")."
        die "'deploy/dev $1' is already running in this clone (process $owner).$address"
    fi
    INSTANCE=$folder
    echo $$ >"$INSTANCE/owner"
}

# The same, with nothing in it that an earlier run left.
open_fresh_instance() { # NAME
    open_instance "$1"
    delete_postgres
    rm -rf "$INSTANCE/mail"
}

close_instance() {
    [[ ! $INSTANCE ]] || rm -f "$INSTANCE/owner" "$INSTANCE/address"
}

delete_instances() {
    local name
    # None is touched while one is in use.
    for name in up test tour; do open_instance "$name"; done
    for name in up test tour; do
        open_instance "$name"
        delete_postgres
    done
    INSTANCE=
    rm -rf "$STATE" "$CLOSED_CLONE_HOME"
    say "Deleted $STATE. What was downloaded stays in $CACHE."
}

# Keeps standard input in a file that its owner alone can read.
keep_secret() { # FILE
    (umask 077 && cat >"$1")
}

random_hex() { # BYTES
    od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'
    echo
}

# Nobody answers on it, on loopback or on all addresses.
is_free_port() { # PORT
    ! (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

first_free_port() { # PORT
    local port
    for ((port = $1; port < $1 + 100; port++)); do
        if is_free_port "$port"; then
            echo "$port"
            return
        fi
    done
    die "the ports from $1 to $port are all taken."
}

# The port that a server had last time, unless somebody else has it by now; else another, below those that the system
# hands out to clients.
remembered_port() { # FILE
    local port
    port=$(cat "$1" 2>/dev/null) || port=
    until [[ $port ]] && is_free_port "$port"; do
        port=$((20000 + RANDOM % 12000))
    done
    echo "$port" | tee "$1"
}

# Starts a server on a port of the instance, by a function that takes the port and fails when the server ended. A port
# may be lost between the look and the start; then the server gets another.
start_on_remembered_port() { # NAME FUNCTION
    local name=$1 start=$2 log=$INSTANCE/$1.log attempt port
    for attempt in 1 2 3; do
        port=$(remembered_port "$INSTANCE/$name.port")
        if "$start" "$port" >"$log" 2>&1; then
            PORT=$port
            return
        fi
        is_free_port "$port" && break
        say "Port $port was taken meanwhile (attempt $attempt)"
    done
    show_end_of "$log"
    die "$name did not start."
}
