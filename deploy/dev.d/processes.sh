# Starting processes so that they end with this script, in order, however it ends.

# What runs now, for stop_everything: process ids, and the data directory of Postgres.
ATTENDED=
SERVICE=
REDIS=
POSTGRES_DATA=

# In front of a server's command line. Postgres refuses to run as root, and Redis need not; `keep` is what launch asks for.
AS_SERVANT=(env --chdir=/)
((EUID)) || AS_SERVANT+=(setpriv --reuid=nobody "--regid=$(id -g nobody)" --clear-groups --pdeathsig=keep --)

servant_can_run() { # PROGRAM
    "${AS_SERVANT[@]}" "$1" --version >/dev/null 2>&1
}

# Starts a command in the background; $! is its process id.
#
# In a process group of its own (that is what `set -m` is for), so that Ctrl-C reaches this script alone, which then stops
# things in order. With a signal upon this script's death, so that not even `kill -9` of it leaves anything behind. Without
# the lock (file descriptor 9), so that nothing but this script holds it.
launch() { # SIGNAL COMMAND...
    local signal=$1
    shift
    set -m
    setpriv --pdeathsig="$signal" -- "$@" 9>&- &
    set +m
}

# Runs a command that may take long, and returns its status. Signals interrupt it at once, where a plain command in the
# foreground would have to end first.
attend() { # COMMAND...
    local status=0
    launch TERM "$@"
    ATTENDED=$!
    wait "$ATTENDED" || status=$?
    ATTENDED=
    return "$status"
}

is_running() { # PID
    kill -0 "$1" 2>/dev/null
}

# Stops a process, with its group if it leads one, and waits until it is gone. No process id: nothing to do.
stop_process() { # PID SIGNAL SECONDS
    local pid=$1 signal=$2 tenths=$(($3 * 10))
    [[ $pid ]] && is_running "$pid" || return 0
    signal_process "$signal" "$pid"
    while is_running "$pid"; do
        if ((tenths-- == 0)); then
            signal_process KILL "$pid"
            return
        fi
        sleep 0.1
    done
}

signal_process() { # SIGNAL PID
    kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null || true
}

# The end of every run, also of one that failed half way. The service goes first, while its servers are still there.
stop_everything() {
    trap '' HUP INT TERM
    stop_process "$ATTENDED" TERM 30
    stop_process "$SERVICE" TERM 30
    stop_process "$REDIS" TERM 10
    stop_postmaster "$POSTGRES_DATA"
    close_instance
}
