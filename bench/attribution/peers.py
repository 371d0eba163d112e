"""Scores of kronfluence's EK-FAC and dattri's conjugate gradients on a judged task.

Usage: peers.py PEER MODEL INPUT.npz OUTPUT.npz CHECKPOINTS. Prints {"seconds": ...}; loading torch and
the archive is not counted. Damping is the best one of `peers.json`'s runs.
"""

import json
import sys
import tempfile
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)


class LoraLayer(nn.Module):
    def __init__(self, weight, bias, rank):
        super().__init__()
        out, inp = weight.shape
        self.register_buffer("W0", weight)
        self.register_buffer("b0", bias)
        self.A = nn.Linear(inp, rank, bias=False)
        self.B = nn.Linear(rank, out, bias=False)

    def forward(self, x):
        return nn.functional.linear(x, self.W0, self.b0) + 2 * self.B(self.A(x))


class Lora(nn.Module):
    def __init__(self, z, rank):
        super().__init__()
        layer = lambda i: LoraLayer(torch.tensor(z[f"buf.l{i}.W0"]), torch.tensor(z[f"buf.l{i}.b0"]), rank)
        self.l1, self.l2, self.l3 = layer(1), layer(2), layer(3)

    def forward(self, x):
        return self.l3(torch.relu(self.l2(torch.relu(self.l1(x)))))


class Mlp(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inputs, hidden), nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Lr(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.fc(x)


def build(kind, z, index):
    inputs, p = z["x_train"].shape[1], z["ckpts"].shape[1]
    classes = int(max(z["y_train"].max(), z["y_test"].max())) + 1
    if kind == "lr":
        model = Lr(inputs, classes)
    elif kind == "mlp":
        model = Mlp(inputs, (p - classes) // (inputs + 1 + classes), classes)
    else:
        model = Lora(z, p // sum(sum(z[f"buf.l{i}.W0"].shape) for i in (1, 2, 3)))
    torch.nn.utils.vector_to_parameters(torch.tensor(z["ckpts"][index]), model.parameters())
    return model.eval()


def kronfluence(kind, z, count):
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Judged(Task):
        def compute_train_loss(self, batch, model, sample=False):
            x, y = batch
            logits = model(x)
            if sample:
                y = torch.multinomial(torch.softmax(logits.detach(), -1), 1).flatten()
            return nn.functional.cross_entropy(logits, y, reduction="sum")

        def compute_measurement(self, batch, model):
            x, y = batch
            return nn.functional.cross_entropy(model(x), y, reduction="sum")

    damping = {"lr": 1e-4, "mlp": 1e-4, "lora": 1e-3}[kind]
    total = 0
    for index in range(count):
        model = prepare_model(build(kind, z, index), Judged())
        with tempfile.TemporaryDirectory() as folder:
            analyzer = Analyzer("bench", model, Judged(), cpu=True, output_dir=folder, disable_tqdm=True)
            analyzer.fit_all_factors("f", rows(z, "train"), per_device_batch_size=1000,
                                     factor_args=FactorArguments(strategy="ekfac"))
            analyzer.compute_pairwise_scores("s", "f", rows(z, "test"), rows(z, "train"),
                                             per_device_query_batch_size=200, per_device_train_batch_size=1000,
                                             score_args=ScoreArguments(damping_factor=damping))
            total = total + analyzer.load_pairwise_scores("s")["all_modules"].T
    return total / count


def dattri(kind, z, count):
    from dattri.algorithm.influence_function import IFAttributorCG
    from dattri.task import AttributionTask

    total = 0
    for index in range(count):
        model = build(kind, z, index)

        def loss(params, batch):
            x, y = batch
            logits = torch.func.functional_call(model, params, x)
            return nn.functional.cross_entropy(logits, y)

        task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
        damping = {"lr": 1e-3, "mlp": 1e-2, "lora": 0.1}[kind]
        attributor = IFAttributorCG(task=task, max_iter=10, regularization=damping)
        train, test = rows(z, "train"), rows(z, "test")
        attributor.cache(DataLoader(train, batch_size=1000))
        total = total + attributor.attribute(DataLoader(train, batch_size=1000), DataLoader(test, batch_size=200))
    return total / count


def rows(z, part):
    return TensorDataset(torch.tensor(z[f"x_{part}"]), torch.tensor(z[f"y_{part}"]))


def main():
    peer, kind, source, target, count = sys.argv[1:]
    z = np.load(source)
    started = time.perf_counter()
    scores = {"kronfluence": kronfluence, "dattri_cg5": dattri}[peer](kind, z, min(int(count), len(z["ckpts"])))
    seconds = time.perf_counter() - started
    np.savez(target, scores=np.ascontiguousarray(scores.detach().numpy(), dtype=np.float32))
    print(json.dumps({"seconds": seconds}))


main()
