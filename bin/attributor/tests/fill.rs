//! A store of a real model's rows by real processes: filled, killed in the middle, gone on with, and asked.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod program;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use openledger_model::{BaseModel, Device, LoraConfig, PrefixCache, Sequence, TrainConfig, train};
use program::{PROGRAM, complaint, files, said};

/// The fifth is empty, the last a copy of the first.
const ROWS: [&str; 12] = [
    "The heart pumps blood through the arteries of the body.",
    "Insulin lowers the sugar in the blood.",
    "Antibiotics kill bacteria but not viruses.",
    "The senate votes on treaties with other nations.",
    "",
    "A bill becomes law when the president signs it.",
    "Courts decide what the constitution means.",
    "Vaccines teach the body to know a virus.",
    "Kepler found that planets move in ellipses around the sun.",
    "Bread rises because yeast makes gas from sugar.",
    "A violin has four strings tuned in fifths.",
    "The heart pumps blood through the arteries of the body.",
];

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// Writes the rows, and an adapter of the upper two layers that was trained on them for a moment.
fn inputs(folder: &Path) -> (PathBuf, PathBuf) {
    let (rows, adapter) = (folder.join("rows.txt"), folder.join("adapter.safetensors"));
    fs::write(&rows, ROWS.join("\n") + "\n").unwrap();
    openledger_model::set_num_threads(1);
    let (model, tokenizer) = BaseModel::load(&base(), Device::Cpu).unwrap();
    let lora = LoraConfig { rank: 4, alpha: 8.0, n_layers: 2 };
    let config = TrainConfig { lora, epochs: 2, learning_rate: 2e-3, ..TrainConfig::default() };
    let sequences: Vec<Sequence> =
        ROWS.iter().filter(|row| !row.is_empty()).map(|row| tokenizer.row(row).unwrap()).collect();
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    let mut cache = PrefixCache::new(28, 64 << 20);
    let trained = train(&model, &mut cache, &sequences, &[], &config, going_on).unwrap();
    trained.adapter.save(&adapter).unwrap();
    (rows, adapter)
}

fn command(name: &[&str], store: &Path, (rows, adapter): &(PathBuf, PathBuf)) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(name).args(["--device", "cpu"]);
    command.arg("--folder").arg(store).arg("--model").arg(base());
    command.arg("--rows").arg(rows).arg("--adapter").arg(adapter);
    command
}

fn fill(store: &Path, inputs: &(PathBuf, PathBuf)) -> Command {
    let mut command = command(&["store", "fill"], store, inputs);
    command.args(["--fitted-rows", "5", "--rows-per-shard", "1", "--threads", "1"]);
    command
}

#[test]
fn stranger_fills_a_store_is_killed_goes_on_and_asks_who_shaped_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = inputs(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));

    let mut child = fill(&killed, &inputs).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let whole_shard = |name: &&String| name.starts_with("rows-") && name.ends_with(".arrow");
    let shards = |store: &Path| files(store).iter().filter(whole_shard).count();
    while !killed.is_dir() || shards(&killed) < 2 {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let explain = |store: &Path, question: &str, answer: &str, more: &[&str]| {
        let mut command = command(&["explain"], store, &inputs);
        command.args(["--question", question, "--answer", answer, "--threads", "2"]).args(more);
        command.output().unwrap()
    };
    let unfinished = complaint(&explain(&killed, "What does yeast do?", "It makes gas.", &[]));
    assert!(unfinished.contains("not finished"), "{unfinished}");

    let output = fill(&killed, &inputs).output().unwrap();
    let resumed = said(&output);
    let resumed_at = resumed["resumed_at"].as_u64().unwrap();
    assert!((2..10).contains(&resumed_at), "{resumed_at}");
    for (name, count) in [("given", 12), ("rows", 10), ("copies", 1), ("misfits", 1), ("fitted_rows", 5)] {
        assert_eq!(resumed[name], count, "{name}");
    }
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(progress.contains("10 of 10 gradients taken for the shards, 0 s left"), "{progress}");
    said(&fill(&whole, &inputs).output().unwrap());
    assert_eq!(files(&killed), files(&whole), "a store that was stopped ends with the same shards");

    let explained = said(&explain(
        &killed,
        "Why does bread rise?",
        "Bread rises because yeast makes gas from sugar.",
        &["--top", "3", "--candidates", "8"],
    ));
    let rows = explained["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &explained["candidates"], &explained["stored"]), (3, &8.into(), &10.into()));
    assert_eq!((&rows[0]["row"], &rows[0]["text"]), (&9.into(), &ROWS[9].into()), "{explained}");
    let scores: Vec<f64> = rows.iter().map(|row| row["score"].as_f64().unwrap()).collect();
    assert!(scores[0] > 0.0 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert_eq!(explained["clusters"].as_array().unwrap().len(), 3);
    let heart = said(&explain(
        &killed,
        "What does the heart do?",
        "The heart pumps blood through the arteries of the body.",
        &[],
    ));
    assert_eq!((&heart["rows"][0]["row"], &heart["candidates"]), (&0.into(), &10.into()), "{heart}");
    // A cluster's sum is what the store gives its one stored row, however many copies there are.
    let clusters = heart["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 10);
    for cluster in clusters {
        let row = heart["rows"].as_array().unwrap().iter().find(|row| row["row"] == cluster["row"]).unwrap();
        let [sum, stored] = [&cluster["score"], &row["stored_score"]].map(|v| v.as_f64().unwrap());
        assert!((sum - stored).abs() < 1e-9 * stored.abs().max(1.0), "{cluster} {row}");
        assert_eq!(cluster["rows"], if cluster["row"] == 0 { 2 } else { 1 });
    }

    let error = complaint(&explain(&killed, "Why?", "", &[]));
    assert!(error.contains("no token to predict"), "{error}");
    let error = complaint(&explain(&killed, "Why?", "So.", &["--candidates", "5"]));
    assert!(error.contains("raise --candidates"), "{error}");
    fs::write(&inputs.0, ROWS[1..].join("\n")).unwrap();
    for output in [explain(&killed, "Why?", "So.", &[]), fill(&killed, &inputs).output().unwrap()] {
        let error = complaint(&output);
        assert!(error.contains("the store is of other rows"), "{error}");
    }
}
