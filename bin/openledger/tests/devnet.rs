//! The whole network as a user starts it: real processes, a real model, a small story.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn devnet(datadir: &Path, base_port: u16, story: &Path) -> Command {
    let openledger = Path::new(env!("CARGO_BIN_EXE_openledger"));
    let attributor = openledger.with_file_name("attributor");
    assert!(attributor.is_file(), "{} is not built: run `cargo build --bins`", attributor.display());
    let mut command = Command::new(openledger);
    command
        .current_dir(repository())
        .args(["devnet", "--once", "--base-port", &base_port.to_string(), "--datadir"])
        .arg(datadir)
        .arg("--story")
        .arg(story);
    command
}

fn shown(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn report(datadir: &Path) -> Value {
    serde_json::from_slice(&fs::read(datadir.join("report.json")).unwrap()).unwrap()
}

fn wei(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn devnet_plays_a_small_story_and_its_report_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let story = repository().join("testdata/story/small.json");
    let output = devnet(&datadir, 31_500, &story).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));

    let report = report(&datadir);
    let receipts = report["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 2);
    for receipt in receipts {
        let credited: u128 = receipt["credited"].as_array().unwrap().iter().map(|c| wei(&c["wei"])).sum();
        let parts = wei(&receipt["platform_wei"]) + wei(&receipt["model_wei"]) + wei(&receipt["stakers_wei"]);
        assert_eq!(credited + parts, wei(&receipt["charged_wei"]));
        assert_eq!(credited + parts + wei(&receipt["refunded_wei"]), wei(&receipt["fee_wei"]));
        let copyist = receipt["credited"].as_array().unwrap().iter().filter(|c| c["account"] == "cleo");
        assert_eq!(copyist.count(), 0, "a near-copy earns nothing");
        assert!(!receipt["answer"].as_str().unwrap().is_empty());
    }
    assert_eq!(report["models"][0]["duplicates"], 8, "every copied row is recognised");
    assert_eq!(report["verifier"]["equals_sequencer"], true);
    assert!(!report["batches"].as_array().unwrap().is_empty());
    assert_eq!(report["withdrawals"][0]["account"], "dora");

    let again = devnet(&datadir, 31_500, &story).output().unwrap();
    assert!(!again.status.success());
    assert!(shown(&again).contains("earlier network"), "{}", shown(&again));
}

#[test]
fn devnet_finishes_its_story_after_node_and_attributor_were_killed() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let story = repository().join("testdata/story/small.json");
    let mut command = devnet(&datadir, 31_600, &story);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let kill = |process: &str| {
        let pid = fs::read_to_string(datadir.join("pids").join(process)).unwrap();
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    };
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The node in the midst of contributions, the attributor while it trains and again while it answers.
        if line.contains("contribution 1,") {
            kill("sequencer");
        } else if line.starts_with("Training joint") {
            sleep(Duration::from_secs(3));
            kill("attributor");
        } else if line.contains("1. pia asks") {
            sleep(Duration::from_millis(1_500));
            kill("attributor");
        }
        lines.push(line);
    }
    assert!(child.wait().unwrap().success(), "{}", lines.join("\n"));

    let report = report(&datadir);
    let requests: BTreeSet<&str> =
        report["receipts"].as_array().unwrap().iter().map(|r| r["request_id"].as_str().unwrap()).collect();
    assert_eq!(requests.len(), 2);
    assert_eq!(report["verifier"]["equals_sequencer"], true);
}
