//! `conformance engine` on the sample that comes with it.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/engine.jsonl")
}

fn run(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance")).arg("engine").arg(file).output().unwrap()
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn calls_are_answered_with_the_statuses_and_codes_of_the_specification() {
    let output = run(&sample());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(last_line(&output), "27 passed, 0 failed");
}

#[test]
fn an_answer_other_than_expected_fails_with_its_line() {
    let text = fs::read_to_string(sample()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.jsonl");
    fs::write(&file, text.replacen("-38001", "-38009", 1)).unwrap();
    let output = run(&file);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(last_line(&output), "26 passed, 1 failed");
    let line = text.lines().position(|line| line.contains("-38001")).unwrap() + 1;
    let failures = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(failures.contains(&format!("line {line} engine_getPayloadV4")), "{failures}");
}

#[test]
fn a_file_without_a_chain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bare.jsonl");
    fs::write(&file, r#"{"method": "engine_exchangeCapabilities", "params": [[]], "expect": []}"#).unwrap();
    let output = run(&file);
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("line 1 must name the chain"));
}
