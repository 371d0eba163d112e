//! The program that users run, with libtorch and without.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path, process::Command};

const START: &str = env!("CARGO_BIN_EXE_attributor");
const SIDECAR: &str = env!("CARGO_BIN_EXE_attributor-torch");

fn run(program: &Path) -> (bool, String, String) {
    let output = Command::new(program).arg("--version").env_remove("LD_LIBRARY_PATH").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn start_passes_its_arguments_to_the_sidecar() {
    let (success, said, complained) = run(Path::new(START));
    assert!(success && said.starts_with("attributor "), "{said}{complained}");
}

#[test]
fn start_without_libtorch_says_in_one_line_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("attributor");
    fs::copy(START, &start).unwrap();
    let (success, _, complained) = run(&start);
    assert!(!success && complained.contains("make build"), "without the sidecar: {complained}");

    // The sidecar as it is where the folder that it was linked for does not hold libtorch.
    let mut program = fs::read(SIDECAR).unwrap();
    let name = b"libtorch_cpu.so\0";
    let places: Vec<usize> =
        (0..program.len() - name.len()).filter(|&at| program[at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "the sidecar does not name libtorch");
    places.iter().for_each(|&at| program[at..at + 8].copy_from_slice(b"libabsen"));
    let sidecar = folder.path().join("attributor-torch");
    fs::copy(SIDECAR, &sidecar).unwrap();
    fs::write(&sidecar, program).unwrap();
    let (success, said, complained) = run(&start);
    assert!(!success && said.is_empty(), "{said}");
    assert!(complained.contains("libabsen_cpu.so") && complained.contains("deploy/setup.sh"), "{complained}");
    assert_eq!(complained.lines().count(), 1, "{complained}");
}
