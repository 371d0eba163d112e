"""Our scores beside the Python peers', task by task in one run, on one thread.

Usage: run.py ATTRIBUTOR EXAMPLES SHARED GGUF OUTPUT.json [PART ...], the parts lr, mlp, lora, store, recall, lm,
transformer and gaming; all but the last two where none is named. What OUTPUT.json holds of other parts stays.

Ours are given archives without retraining's outcome, so that no time goes into choosing settings and none are
chosen. Each pair takes turns, ROUNDS times, or fewer once the peer has taken ENOUGH_S; medians count. A ratio is the
least over tasks, and counts only where our LDS is at least the peer's.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).parent.resolve()
ROUNDS = 3
ENOUGH_S = 60


def last_json(command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # A progress bar may share the line with the object.
    line = done.stdout.strip().splitlines()[-1]
    return json.loads(line if line.startswith("{") else line[line.rindex("{"):])


def judged_tasks(attributor, shared, kinds):
    result = {}
    ratios = {"kronfluence": [], "dattri_cg5": []}
    with tempfile.TemporaryDirectory() as folder:
        scores = f"{folder}/s.npz"
        for kind in kinds:
            source = f"{shared}/attribution/digits_{kind}.npz"
            z = np.load(source)
            bare = f"{folder}/{kind}.npz"
            np.savez(bare, **{k: z[k] for k in z.files if k not in ("subsets", "gt_loss")})
            judge = lambda: last_json([attributor, "lds", "--input", source, "--scores", scores])["lds"]
            several = min(5, len(z["ckpts"]))
            for peer, count in (("kronfluence", 1), ("dattri_cg5", several)):
                ours, theirs = [], []
                while len(theirs) < ROUNDS and sum(theirs) < ENOUGH_S:
                    ours.append(last_json([attributor, "scores", "--input", bare, "--model", kind, "--output", scores,
                                           "--checkpoints", str(count)])["seconds"])
                    lds = judge()
                    theirs.append(last_json([sys.executable, str(HERE / "peers.py"), peer, kind, source, scores,
                                             str(count)])["seconds"])
                    their_lds = judge()
                result[f"lds.{kind}" + (str(count) if kind != "lr" else "")] = lds
                seconds, their_seconds = statistics.median(ours), statistics.median(theirs)
                ratio = their_seconds / seconds if lds >= their_lds else 0.0
                ratios[peer].append(ratio)
                name = f"speed.{kind}{count}.vs_{peer}"
                result[name], result[name + "_lds"] = ratio, their_lds
                result[name + "_s"] = [seconds, their_seconds]
                print("%s x%d %s: LDS %.3f in %.2f s; auto: %.3f in %.2f s; ratio %.1f"
                      % (kind, count, peer, their_lds, their_seconds, lds, seconds, ratio), flush=True)
    if len(kinds) == 3:
        result["speed.vs_kronfluence"] = min(ratios["kronfluence"])
        result["speed.vs_dattri_cg5"] = min(ratios["dattri_cg5"])
    return result


def store(examples):
    with tempfile.TemporaryDirectory(dir=HERE.parent.parent / "target" / "bench") as folder:
        found = last_json([f"{examples}/store_speed", folder])
    print(found, flush=True)
    return {"store.bytes_per_row": found["bytes_per_row"], "store.dimension": found["dimension"],
            "query.1m_rows_ms": found["payout_ms"], "query.top20_ms": found["top20_ms"],
            "query.top200_ms": found["top200_ms"]}


def texts():
    story = json.loads((HERE.parent.parent / "testdata/story/two_datanets.json").read_text())
    return [row.replace("\n", " ") for part in story["contributions"] for row in part["rows"]]


def recall(examples):
    """Recall@20 against exact influence at the projection size that rows of a language model are stored with: of the
    rows that the store names and exact gradients rank. A fifth of the rows are candidates."""
    rows = texts()
    # Subjects alternate, so that rows and queries are of both.
    rows = [row for pair in zip(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for row in pair]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(rows, file)
        file.flush()
        threads = len(os.sched_getaffinity(0))
        found = last_json([f"{examples}/projection_recall", file.name, "320", "24", str(threads), "64"])
    print(found, flush=True)
    result = {f"recall.{name}": found[name] for name in ("rank", "sketch", "rows", "queries", "candidates",
                                                         "recall_of_store_alone", "in_candidates", "rank_again_ms")}
    return {"recall_at_20": found["recall_at_20"], **result}


def transformer(attributor):
    """A small transformer retrained on halves of the story's texts: every method's LDS, ours first."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(texts()) + "\n")
        file.flush()
        found = last_json([attributor, "evaluate", "--texts", file.name, "--subsets", "96"])
    result = {"lds.transformer.subsets": found["publish"]["samples"], "lds.transformer.seconds": found["seconds"]}
    for method in found["methods"]:
        name = f"lds.transformer.{method['method']}"
        result[name], result[name + "_interval"] = method["lds"], [method["low"], method["high"]]
        print("transformer %s: LDS %.3f [%.3f, %.3f]"
              % (method["method"], method["lds"], method["low"], method["high"]), flush=True)
    return result


def gaming(attributor, shared):
    found = last_json([attributor, "gaming", "--input", f"{shared}/attribution/digits_lr.npz"])
    result = {"gaming.markets": found["seeds"], "gaming.seconds": found["seconds"]}
    for attack in found["attacks"]:
        name = "gaming." + attack["attack"].replace(" ", "_").replace("'", "").replace(",", "")
        result[name], result[name + "_interval"] = attack["gain"], [attack["low"], attack["high"]]
        print("gaming: %s gains %.3f [%.3f, %.3f]"
              % (attack["attack"], attack["gain"], attack["low"], attack["high"]), flush=True)
    return result


PROMISED = ["lds.lr", "lds.mlp1", "lds.mlp5", "lds.lora1", "lds.lora5", "speed.vs_kronfluence", "speed.vs_dattri_cg5",
            "lm.rows_per_s.vs_best_peer", "store.bytes_per_row", "query.1m_rows_ms", "query.top20_ms", "recall_at_20"]


def main():
    attributor, examples, shared, gguf, output, *parts = sys.argv[1:]
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    parts = parts or ["lr", "mlp", "lora", "store", "recall", "lm"]
    result = json.loads(output.read_text()) if output.exists() else {}

    def lm_part():
        import lm
        return lm.measure(f"{examples}/lm_rows", gguf)

    kinds = [part for part in parts if part in ("lr", "mlp", "lora")]
    work = [("tasks", lambda: judged_tasks(attributor, shared, kinds)), ("store", lambda: store(examples)),
            ("recall", lambda: recall(examples)),
            ("transformer", lambda: transformer(attributor)), ("gaming", lambda: gaming(attributor, shared)),
            ("lm", lm_part)]
    failed = []
    for name, measure in work:
        if name not in parts and not (name == "tasks" and kinds):
            continue
        started = time.monotonic()
        # What one part cannot measure is left out by name; the others' figures stay.
        try:
            result.update(measure())
        except Exception as error:
            said = getattr(error, "stderr", None)
            print(f"{name}: not measured: {error}{': ' + said[-500:] if said else ''}", flush=True)
            failed.append(name)
        result[f"seconds.{name}"] = time.monotonic() - started
        output.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    missing = [key for key in PROMISED if key not in result]
    if missing:
        print("not measured: " + ", ".join(missing), flush=True)
    sys.exit(1 if failed else 0)


main()
