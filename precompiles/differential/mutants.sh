#!/usr/bin/env bash
# Plants the faults of faults.toml in a copy of what is committed and runs the comparison with each of them. The copy and
# what is built of it stay in target/mutants, so that the next time starts from there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tree=target/mutants/tree
cargo build --locked --quiet --workspace --bin mutants
mkdir -p "$tree"
find "$tree" -mindepth 1 -delete
git archive HEAD | tar -x -C "$tree"
"${CARGO_TARGET_DIR:-target}/debug/mutants" --tree "$tree" --target "$PWD/target/mutants/target" "$@"
