"""Our scores beside the Python peers', task by task in one run, on one thread.

Usage: run.py ATTRIBUTOR SHARED OUTPUT.json [TASK ...]. Ours are given archives without retraining's
outcome, so that no time goes into choosing settings and none are chosen. A ratio is the least over tasks,
and counts only where our LDS is at least the peer's.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent


def last_json(command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # Progress bars share the line: the object starts at the last brace.
    line = done.stdout.strip().splitlines()[-1]
    return json.loads(line[line.rindex("{"):])


def main():
    attributor, shared, output, *tasks = sys.argv[1:]
    result, table = {}, []
    ratios = {"kronfluence": [], "dattri_cg5": []}
    with tempfile.TemporaryDirectory() as folder:
        scores = f"{folder}/s.npz"
        for kind in tasks or ["lr", "mlp", "lora"]:
            source = f"{shared}/attribution/digits_{kind}.npz"
            z = np.load(source)
            bare = f"{folder}/{kind}.npz"
            np.savez(bare, **{k: z[k] for k in z.files if k not in ("subsets", "gt_loss")})
            judge = lambda: last_json([attributor, "lds", "--input", source, "--scores", scores])["lds"]
            several = min(5, len(z["ckpts"]))

            def ours(count):
                found = last_json([attributor, "scores", "--input", bare, "--model", kind, "--output", scores,
                                   "--checkpoints", str(count)])
                return found["seconds"], judge()

            for peer, count in (("kronfluence", 1), ("dattri_cg5", several)):
                seconds, lds = ours(count)
                result[f"lds.{kind}" + (str(count) if kind != "lr" else "")] = lds
                theirs = last_json([sys.executable, str(HERE / "peers.py"), peer, kind, source, scores, str(count)])
                their_lds = judge()
                ratio = theirs["seconds"] / seconds if lds >= their_lds else 0.0
                ratios[peer].append(ratio)
                table.append((kind, count, peer, their_lds, theirs["seconds"], lds, seconds, ratio))
                print("%s x%d %s: LDS %.3f in %.2f s; auto: %.3f in %.2f s; ratio %.1f" % table[-1], flush=True)
    result["speed.vs_kronfluence"] = min(ratios["kronfluence"])
    result["speed.vs_dattri_cg5"] = min(ratios["dattri_cg5"])
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(output).write_text(json.dumps(result, indent=2) + "\n")


main()
