#!/usr/bin/env bash
# Plants the faults of faults.toml in a copy of what is committed, one at a time, and runs the comparison on each. The copy
# and what is built of it are kept in target/mutants, so that the next time starts from there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tree=target/mutants/tree
cargo build --locked --quiet -p openledger-differential --bin mutants
mkdir -p "$tree"
# Sources of an earlier copy that are gone by now must not stay; what did not change keeps its time.
find "$tree" -mindepth 1 -delete
git archive HEAD | tar -x -C "$tree"
CARGO_TARGET_DIR="$PWD/target/mutants/target" target/debug/mutants --tree "$tree" "$@"
