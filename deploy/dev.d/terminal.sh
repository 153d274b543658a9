# What deploy/dev says to the person who called it.

say() {
    if [[ -t 1 ]]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

# Ends the script, with the reason and what to do about it.
die() {
    printf 'deploy/dev: %s\n' "$@" >&2
    exit 1
}

# The end of a log, for somebody who has to find out why its writer failed.
show_end_of() { # FILE
    printf -- '--- the end of %s\n' "$1" >&2
    tail -n 20 "$1" >&2 || true
}
