#!/usr/bin/env bash
# Runs the attributor on a CUDA device: shares beside the CPU's, rows and tokens a second beside the floor.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "bench-gpu: skipped, there is no NVIDIA device"
    exit 0
fi
# The program is linked for the CPU's libtorch; torch 2.11 with CUDA stands in for it when it is found first.
cuda=${OPENLEDGER_CUDA_LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))' 2>/dev/null || true)}
if [ ! -e "$cuda/libtorch_cuda.so" ]; then
    echo "bench-gpu: skipped, there is no libtorch 2.11 with CUDA; set OPENLEDGER_CUDA_LIBTORCH to its lib folder"
    exit 0
fi
deploy/setup.sh
cargo build --locked --workspace --bin attributor-torch
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive LD_LIBRARY_PATH="$cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
mkdir -p target/bench
built=${CARGO_TARGET_DIR:-target}/debug
nvidia-smi -L
"$built/attributor-torch" throughput --device cuda --model .cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "$@" \
    | tee target/bench/gpu.json
