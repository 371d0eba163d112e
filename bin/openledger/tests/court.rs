//! Lying attributors before the court: real processes for node, attributor, challengers and judges, a small model.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::Value;
use std::{fs, path::Path, process::Command};

fn wei(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn lying_attestor_loses_its_bond_and_false_or_feigned_challenges_do_not_pay() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let openledger = Path::new(env!("CARGO_BIN_EXE_openledger"));
    let attributor = openledger.with_file_name("attributor");
    assert!(attributor.is_file(), "{} is not built: run `cargo build --bins`", attributor.display());
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let output = Command::new(openledger)
        .current_dir(&repository)
        .args(["devnet", "--once", "--base-port", "31700", "--story", "testdata/story/court.json"])
        .args(["--model", "testdata/models/toy.gguf", "--datadir"])
        .arg(&datadir)
        .output()
        .unwrap();
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");

    let report: Value = serde_json::from_slice(&fs::read(datadir.join("report.json")).unwrap()).unwrap();
    let court = &report["court"];
    let disputes = court["disputes"].as_array().unwrap();
    let of = |challenger: &str| disputes.iter().find(|d| d["challenger"] == challenger).unwrap();
    let made_whole = |dispute: &Value| -> u128 {
        dispute["made_whole"].as_array().unwrap().iter().map(|whole| wei(&whole["wei"])).sum()
    };
    assert_eq!(disputes.len(), 4);
    for lie in ["vera", "wim", "puppet"].map(of) {
        assert_eq!(lie["upheld"], false, "{said}");
        assert!(wei(&lie["held_wei"]) > 0);
        assert_eq!(lie["slashed_wei"], lie["held_wei"], "the receipt's bond is lost");
        let (slashed, reward) = (wei(&lie["slashed_wei"]), wei(&lie["reward_wei"]));
        let rest = slashed - made_whole(lie);
        assert_eq!(reward, rest * 3 / 10);
        assert_eq!(made_whole(lie) + reward + wei(&lie["burned_wei"]), slashed, "to the wei");
    }
    let swapped = of("vera");
    assert_eq!(swapped["evidence_delivered"], true);
    assert_eq!(swapped["verified"]["verdict"], "differs");
    assert!(made_whole(swapped) > 0, "who was underpaid is made whole");
    for silent in ["wim", "puppet"].map(of) {
        assert_eq!(silent["evidence_delivered"], false, "a default");
    }
    // Whoever lies and challenges the lie itself has paid more than it gets.
    assert!(wei(&of("puppet")["reward_wei"]) * 10 <= wei(&of("puppet")["slashed_wei"]) * 3);

    let honest = of("zoe");
    assert_eq!((&honest["upheld"], &honest["evidence_delivered"]), (&true.into(), &true.into()));
    assert_eq!(honest["verified"]["verdict"], "agrees");
    assert_eq!(honest["burned_wei"], honest["stake_wei"], "a false challenge loses its stake");
    assert_eq!(wei(&honest["slashed_wei"]), 0);
    let reruns = honest["dispatched"].as_array().unwrap();
    assert_eq!(reruns.len(), 3, "default, AVX2 and AVX-512");
    for rerun in reruns {
        assert_eq!(rerun["verdict"], "agrees", "{rerun}");
        assert!(rerun["worst_share_difference"].as_u64() <= rerun["band"].as_u64(), "{rerun}");
    }

    let slashed: u128 = disputes.iter().map(|dispute| wei(&dispute["slashed_wei"])).sum();
    assert_eq!(wei(&court["bond_before_wei"]) - wei(&court["bond_after_wei"]), slashed);
    let mut gained = 0;
    for contribution in court["accrued"].as_array().unwrap() {
        let (before, after) = (wei(&contribution["before_wei"]), wei(&contribution["after_wei"]));
        assert!(after >= before, "contributors keep what they were credited");
        gained += after - before;
    }
    assert_eq!(gained, disputes.iter().map(made_whole).sum::<u128>());
    assert_eq!(report["verifier"]["equals_sequencer"], true);
}
