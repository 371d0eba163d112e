//! The whole network as a user starts it: real processes, a real model, a small story.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn devnet(datadir: &Path, base_port: u16, story: &Path) -> Output {
    let openledger = Path::new(env!("CARGO_BIN_EXE_openledger"));
    let attributor = openledger.with_file_name("attributor");
    assert!(attributor.is_file(), "{} is not built: run `cargo build --bins`", attributor.display());
    Command::new(openledger)
        .current_dir(repository())
        .args(["devnet", "--once", "--base-port", &base_port.to_string(), "--datadir"])
        .arg(datadir)
        .arg("--story")
        .arg(story)
        .output()
        .unwrap()
}

fn wei(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn devnet_plays_a_small_story_and_its_report_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let story = repository().join("testdata/story/small.json");
    let output = devnet(&datadir, 31_500, &story);
    let shown =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}");

    let report: Value = serde_json::from_slice(&fs::read(datadir.join("report.json")).unwrap()).unwrap();
    let receipts = report["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 2);
    for receipt in receipts {
        let credited: u128 = receipt["credited"].as_array().unwrap().iter().map(|c| wei(&c["wei"])).sum();
        let parts = wei(&receipt["platform_wei"]) + wei(&receipt["model_wei"]) + wei(&receipt["stakers_wei"]);
        assert_eq!(credited + parts, wei(&receipt["fee_wei"]));
        assert_eq!(wei(&receipt["fee_wei"]) + wei(&receipt["refunded_wei"]), wei(&receipt["escrow_wei"]));
        let copyist = receipt["credited"].as_array().unwrap().iter().filter(|c| c["account"] == "cleo");
        assert_eq!(copyist.count(), 0, "a near-copy earns nothing");
        assert!(!receipt["answer"].as_str().unwrap().is_empty());
    }
    assert_eq!(report["models"][0]["duplicates"], 8, "every copied row is recognised");
    assert_eq!(report["verifier"]["equals_sequencer"], true);
    assert!(!report["batches"].as_array().unwrap().is_empty());
    assert_eq!(report["withdrawals"][0]["account"], "ada");

    let again = devnet(&datadir, 31_500, &story);
    assert!(!again.status.success());
    let refusal = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(refusal.contains("earlier network"), "{refusal}");
}
