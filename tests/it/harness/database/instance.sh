set -eu
programs=$1
home=$(mktemp -d -t keyward-tests.XXXXXX)
trap 'rm -rf "$home"' EXIT
"$programs/initdb" --pgdata="$home/data" --username=keyward --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$home/log" 2>&1 || { cat "$home/log" >&2; exit 1; }
# Its data does not outlive the tests, so nothing has to reach the disk.
"$programs/pg_ctl" start --wait --silent --pgdata="$home/data" --log="$home/log" --options="\
    -c listen_addresses= -c unix_socket_directories=$home -c max_connections=300 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off" || { cat "$home/log" >&2; exit 1; }
# The data folder cannot be read by another user, who may be the one that runs the tests.
head -n 1 "$home/data/postmaster.pid" >"$home/pid"
chmod 755 "$home"
echo "$home"
cat >/dev/null
# A frozen server cannot be stopped.
kill -s CONT "$(cat "$home/pid")"
"$programs/pg_ctl" stop --silent --mode=immediate --pgdata="$home/data"
