# The service itself: built, prepared, started, and a session to try it with.

ADMIN=admin@keyward.localhost
ADMIN_PASSWORD=$STATE/admin.password
MASTER_KEY=$STATE/master.key

# Sets PROGRAMS, the folder of what was built.
build_service() { # [CARGO-OPTION...]
    attend cargo build --bin keyward "$@"
    PROGRAMS=$(cargo metadata --format-version 1 --no-deps --offline |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug
}

# A master key, the tables, and an administrator. Each is made once.
prepare_service() {
    if [[ ! ${KEYWARD_MASTER_KEY:-}${KEYWARD_MASTER_KEY_FILE:-} ]]; then
        [[ -s $MASTER_KEY ]] || head -c 32 /dev/urandom | base64 | keep_secret "$MASTER_KEY"
        export KEYWARD_MASTER_KEY_FILE=$MASTER_KEY
    fi
    export KEYWARD__LOG__FORMAT=${KEYWARD__LOG__FORMAT:-pretty}
    [[ -s $ADMIN_PASSWORD ]] || random_hex 16 | keep_secret "$ADMIN_PASSWORD"
    attend "$PROGRAMS/keyward" migrate
    attend "$PROGRAMS/keyward" admin create --email "$ADMIN" --if-absent <"$ADMIN_PASSWORD"
}

# Starts it and waits until it says that it listens. Sets ADDRESS.
start_service() { # [ARG...]
    local output=$INSTANCE/service.out status=0
    : >"$output"
    launch TERM "$PROGRAMS/keyward" serve "$@" >"$output"
    SERVICE=$!
    until ADDRESS=$(sed -n 's/^listening on //p' "$output") && [[ $ADDRESS ]]; do
        is_running "$SERVICE" || {
            wait_for_service || status=$?
            die "the service did not start (status $status)."
        }
        sleep 0.05
    done
    echo "$ADDRESS" >"$INSTANCE/address"
}

wait_for_service() {
    local status=0
    wait "$SERVICE" || status=$?
    SERVICE=
    return "$status"
}

print_session_to_try() {
    local call="grpcurl -plaintext -H 'device-id: laptop-1'" at=$ADDRESS older=
    # Whoever gave us the database may have had that account in it already.
    [[ $POSTGRES_DATA ]] || older=", unless the account was there before"
    say "Keyward listens on $at, without TLS. Mails are printed here. Ctrl-C stops everything."
    cat <<END

Try it from another terminal. Put what the replies and the mail say in place of the words in capitals.

  $call -d '{"email":"ada@example.com","password":"seven lamps over the canal","display_name":"Ada"}' $at keyward.v1.AuthService/Register
  $call -d '{"registration_id":"REGISTRATION_ID","code":"CODE"}' $at keyward.v1.AuthService/VerifyEmail
  $call -d '{"email":"ada@example.com","password":"seven lamps over the canal","device_name":"Laptop"}' $at keyward.v1.AuthService/Login
  $call -H 'authorization: Bearer ACCESS_TOKEN' $at keyward.v1.SessionService/ListSessions
  $call -d '{"refresh_token":"REFRESH_TOKEN"}' $at keyward.v1.AuthService/RefreshTokens
  $call -H 'authorization: Bearer ACCESS_TOKEN' $at keyward.v1.SessionService/Logout

  grpcurl -plaintext $at list

The administrator is $ADMIN; the password is in ${ADMIN_PASSWORD#"$ROOT/"}$older.

END
}
