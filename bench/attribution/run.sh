#!/usr/bin/env bash
# Installs the Python peers by hash under target/bench and measures them beside the attributor.
set -euo pipefail
cd "$(dirname "$0")/../.."
shared=${OPENLEDGER_SHARED:-../shared}
if [ ! -d "$shared/attribution" ]; then
    echo "bench-attribution: skipped, $shared/attribution is not there; set OPENLEDGER_SHARED"
    exit 0
fi
venv=target/bench/venv
stamp=$venv/$(sha256sum bench/attribution/requirements.txt | cut -c1-16)
if [ ! -e "$stamp" ]; then
    python3.11 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --no-deps --require-hashes -r bench/attribution/requirements.txt
    touch "$stamp"
fi
# Threads that spin while they wait slow down whatever else runs.
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
built=${CARGO_TARGET_DIR:-target}/debug
model=.cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
"$venv/bin/python" bench/attribution/run.py "$built/attributor" "$built/examples" "$shared" "$model" \
    target/bench/attribution.json "$@"
