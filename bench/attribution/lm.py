"""Rows a second of per-sample LoRA gradients of SmolLM2-135M, ours beside kronfluence, dattri and plain PyTorch.

Usage: lm.py LM_ROWS MODEL.gguf [ROUNDS] [ROWS] [THREADS]. Rank 8 on query and value of all 30 layers, rows of
128 tokens, f32, the same cores for all. In every other round all four take turns with ROWS rows that the others get
too, in the rounds between ours has its turn alone; medians count. Loading and start-up are not counted. Peers stop after a gradient; ours also
projects and stores each row, and its rate counts that too. Processor seconds a row are there for machines that
are shared, where time on the clock says little.

Beside the rates it prints the floor: the multiplications of forward and backward through frozen weights at the
rate at which libtorch multiplies matrices of these sizes, measured in the same rounds.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from smollm2 import SmolLm2

TOKENS, RANK, LAYERS, WIDTH, KV, FFN, VOCABULARY = 128, 8, 30, 576, 192, 1536, 49152
BATCH = 4


def adapter():
    """As a fresh adapter is: A random, B zero."""
    parts = []
    for _ in range(LAYERS):
        for outputs in (WIDTH, KV):
            parts += [torch.randn(RANK, WIDTH) * WIDTH ** -0.5, torch.zeros(outputs, RANK)]
    return parts


def plain(model):
    parameters = [p for p in model.parameters() if p.requires_grad]

    def run(rows):
        for row in rows:
            found = torch.autograd.grad(model(row[None]).sum(), parameters)
            torch.cat([g.flatten() for g in found])

    return run


def dattri(model):
    from dattri.task import AttributionTask

    def loss(parameters, batch):
        return torch.func.functional_call(model, parameters, (batch[0][None],)).sum()

    names = [name for name, p in model.named_parameters() if p.requires_grad]
    task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
    parameters, _ = task.get_param(ckpt_idx=0, layer_name=names)
    gradient = task.get_grad_loss_func(in_dims=(None, 0), layer_name=names, ckpt_idx=0)

    def run(rows):
        for part in rows.split(BATCH):
            gradient(parameters, (part,))

    return run


def kronfluence(model):
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Judged(Task):
        def compute_train_loss(self, batch, model, sample=False):
            return model(batch[0]).sum()

        def compute_measurement(self, batch, model):
            return model(batch[0]).sum()

        def get_influence_tracked_modules(self):
            return [name for name, module in model.named_modules() if name.endswith((".A", ".B"))]

    prepared = prepare_model(model, Judged())

    def run(rows):
        with tempfile.TemporaryDirectory() as folder:
            analyzer = Analyzer("bench", prepared, Judged(), cpu=True, output_dir=folder, disable_tqdm=True)
            data = TensorDataset(rows)
            analyzer.fit_all_factors("f", data, per_device_batch_size=BATCH,
                                     factor_args=FactorArguments(strategy="identity"))
            analyzer.compute_pairwise_scores("s", "f", TensorDataset(rows[:1]), data, per_device_query_batch_size=1,
                                             per_device_train_batch_size=BATCH,
                                             score_args=ScoreArguments(damping_factor=1e-3))

    return run


def ours(program, gguf, threads):
    def run(rows):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(rows.tolist(), file)
            file.flush()
            done = subprocess.run([program, gguf, file.name, str(threads)], check=True, capture_output=True, text=True)
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def multiplications():
    """Floating-point operations a row: every frozen matrix forward and back, none for its own gradient."""
    layer = WIDTH * (WIDTH + 2 * KV) + WIDTH * WIDTH + 3 * WIDTH * FFN
    return 2 * 2 * TOKENS * (LAYERS * layer + WIDTH * VOCABULARY)


def multiplication_rate(threads):
    """Operations a second of the feed-forward's product at 512 tokens, by so many threads one product each."""
    x, w = torch.randn(512, WIDTH), torch.randn(2 * FFN, WIDTH)
    best = 0.0
    for _ in range(12):
        start = time.perf_counter()
        torch.mm(x, w.t())
        best = max(best, 2 * 512 * WIDTH * 2 * FFN / (time.perf_counter() - start))
    return best * threads


def measure(program, gguf, rounds=8, rows=64, threads=None):
    threads = threads or len(__import__("os").sched_getaffinity(0))
    torch.manual_seed(0)
    peers = {}
    for name, build in (("plain", plain), ("dattri", dattri), ("kronfluence", kronfluence)):
        peers[name] = build(SmolLm2(gguf, adapter(), 2.0))
    our = ours(program, gguf, threads)
    rates = {name: [] for name in ("ours", *peers)}
    cpu = {name: [] for name in ("ours", *peers)}
    floor = []
    for turn in range(rounds):
        tokens = torch.randint(0, VOCABULARY - 1, (rows, TOKENS))
        torch.set_num_threads(1)
        floor.append(multiplication_rate(threads) / multiplications())
        found = our(tokens)
        rates["ours"].append(found["rows_per_s"])
        cpu["ours"].append(found["cpu_s_per_row"])
        torch.set_num_threads(threads)
        for name, run in peers.items() if turn % 2 == 0 else ():
            # kronfluence takes one more gradient, of its query.
            taken = rows + (name == "kronfluence")
            start, cpu_start = time.perf_counter(), time.process_time()
            run(tokens)
            rates[name].append(taken / (time.perf_counter() - start))
            cpu[name].append((time.process_time() - cpu_start) / taken)
        last = lambda table: {name: round(values[-1], 3) for name, values in table.items()}
        print("rows/s", last(rates), "floor %.3f" % floor[-1], "processor s/row", last(cpu), flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    result = {f"lm.rows_per_s.{name}": value for name, value in medians.items()}
    result["lm.rows_per_s.floor"] = statistics.median(floor)
    result["lm.rows_per_s.vs_best_peer"] = medians["ours"] / max(medians[name] for name in peers)
    result.update({f"lm.cpu_s_per_row.{name}": statistics.median(values) for name, values in cpu.items()})
    result["lm.threads"], result["lm.rows"] = threads, rounds * rows
    return result


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[3:]]
    print(json.dumps(measure(*sys.argv[1:3], *numbers), indent=2))
