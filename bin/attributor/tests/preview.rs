//! A contributor's preview against a whole network: real processes for node and attributor, a small model.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_attributor-torch");
const BASE_PORT: u16 = 31_900;
/// Tenths of a second that the story may take.
const PATIENCE: usize = 6_000;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A network that goes on after its story, stopped when dropped.
struct Network(Child);

impl Drop for Network {
    fn drop(&mut self) {
        // It stops its own children when it is told to end.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

impl Network {
    fn start(folder: &Path) -> Self {
        let text = fs::read_to_string(repository().join("testdata/story/small.json")).unwrap();
        let mut story: Value = serde_json::from_str(&text).unwrap();
        story["claims"] = json!([]);
        story["models"][0]["training"] =
            json!({ "rank": 4, "layers": 2, "epochs": 4, "learning_rate": 0.02 });
        let told = folder.join("story.json");
        fs::write(&told, story.to_string()).unwrap();
        let openledger = Path::new(PROGRAM).with_file_name("openledger");
        assert!(openledger.is_file(), "{} is not built: run `cargo build --bins`", openledger.display());
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(openledger);
        command
            .current_dir(repository())
            .env("OPENLEDGER_PREVIEWS", "true")
            .args(["devnet", "--base-port", &BASE_PORT.to_string(), "--model", "testdata/models/toy.gguf"])
            .arg("--datadir")
            .arg(folder.join("net"))
            .arg("--story")
            .arg(told)
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log));
        let mut network = Self(command.spawn().unwrap());
        let report = folder.join("net/report.json");
        for _ in 0..PATIENCE {
            if report.is_file() {
                return network;
            }
            let ended = network.0.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(folder.join("log")).unwrap());
            sleep(Duration::from_millis(100));
        }
        panic!("no story in time: {}", fs::read_to_string(folder.join("log")).unwrap());
    }
}

fn preview(rows: &Path, more: &[&str]) -> Output {
    Command::new(PROGRAM)
        .current_dir(repository())
        .args(["preview", "--model", "testdata/models/toy.gguf", "--device", "cpu", "--threads", "1"])
        .args(["--l2.rpc", &format!("http://127.0.0.1:{}", BASE_PORT + 1)])
        .args(["--attributor", &format!("http://127.0.0.1:{}", BASE_PORT + 9)])
        .arg("--rows")
        .arg(rows)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn contributor_sees_what_private_rows_would_have_earned_and_shows_them_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path());
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("net/report.json")).unwrap()).unwrap();
    let told: Value = serde_json::from_slice(&fs::read(folder.path().join("story.json")).unwrap()).unwrap();
    let paid = report["receipts"].as_array().unwrap();
    let known = |at: usize| told["contributions"][0]["rows"][at].as_str().unwrap().to_owned();
    let long = "far too long for the model ".repeat(60);
    let secret = "Zanzibar copal resin, a private recipe that nobody else has written down.";
    let rows = [secret.to_owned(), known(0), known(0), known(9), known(21), long];
    let (file, page) = (folder.path().join("rows.json"), folder.path().join("report.html"));
    fs::write(&file, json!(rows).to_string()).unwrap();

    let output = preview(&file, &["--for-model", "1", "--output", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["receipts"].as_array().unwrap().len(), paid.len(), "{found}");
    assert_eq!(found["receipts_without_sketch"], 0);
    for receipt in found["receipts"].as_array().unwrap() {
        let own = paid
            .iter()
            .find(|paid| paid["request_id"] == receipt["receipt"] || paid["request"] == receipt["receipt"]);
        assert!(own.is_some(), "{receipt} is none of {paid:?}");
        assert!(receipt["ppm"].as_u64().unwrap() < 1_000_000);
    }
    let of = |at: usize, field: &str| found["rows"][at][field].clone();
    assert!(of(2, "left_out").as_str().unwrap().contains("near-duplicate of row 1"), "{found}");
    assert!(of(5, "left_out").is_string(), "{found}");
    for at in [0, 1, 3, 4] {
        assert!(of(at, "left_out").is_null(), "{found}");
        let reasons = found["rows"][at]["reasons"].as_array().unwrap().len();
        assert_eq!(reasons as u64, of(at, "receipts").as_u64().unwrap().min(3));
    }
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.matches("<svg").count() == 2 && page.contains("Zanzibar"));
    // Nothing of a row is in what the network keeps or logs.
    for name in ["log", "net"] {
        let kept =
            Command::new("grep").args(["-r", "-a", "-q", "Zanzibar"]).arg(folder.path().join(name)).status();
        assert_eq!(kept.unwrap().code(), Some(1), "{name} holds the private row");
    }

    let other = preview(&file, &["--for-model", "9"]);
    assert!(!other.status.success(), "there is no model 9");
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n\n").unwrap();
    let none = preview(&empty, &["--for-model", "1"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("there are no rows"));
    drop(network);
}
