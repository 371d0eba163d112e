//! Plants faults in a copy of the precompiles, one at a time, and sees whether the comparison finds each.
//!
//! The faults stand in `faults.toml`: a file of the repository, a text that is in it once, and what takes its place.
#![allow(clippy::print_stdout)]

use clap::Parser;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Plants faults in the precompiles, which the comparison must find.
#[derive(Parser)]
struct Arguments {
    /// A copy of the repository that may be changed.
    #[arg(long)]
    tree: PathBuf,
    /// Steps after which a fault that was not found counts as survived.
    #[arg(long, default_value_t = 1_000_000)]
    steps: u64,
    /// Only faults whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Deserialize)]
struct Faults {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    name: String,
    file: PathBuf,
    from: String,
    to: String,
}

/// What became of a fault.
enum Fate {
    Found(String),
    Survived,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            println!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let list = arguments.tree.join("precompiles/differential/faults.toml");
    let text = read(&list)?;
    let faults: Faults = toml::from_str(&text).map_err(|error| format!("{}: {error}", list.display()))?;
    let wanted = |fault: &Fault| arguments.only.as_ref().is_none_or(|only| fault.name.contains(only));
    let (mut found, mut survivors) = (0, Vec::new());
    for fault in faults.fault.iter().filter(|fault| wanted(fault)) {
        match plant(arguments, fault)? {
            Fate::Found(how) => {
                found += 1;
                println!("found     {}: {how}", fault.name);
            }
            Fate::Survived => {
                println!("SURVIVED  {}", fault.name);
                survivors.push(fault.name.as_str());
            }
        }
    }
    println!("{found} found, {} survived", survivors.len());
    Ok(survivors.is_empty())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn plant(arguments: &Arguments, fault: &Fault) -> Result<Fate, String> {
    let path = arguments.tree.join(&fault.file);
    let whole = read(&path)?;
    let places = whole.matches(&fault.from).count();
    if places != 1 {
        return Err(format!(
            "{}: its text is {places} times in {}; name it anew",
            fault.name,
            fault.file.display()
        ));
    }
    write(&path, &whole.replace(&fault.from, &fault.to))?;
    let fate = judge(arguments, fault);
    write(&path, &whole)?;
    fate
}

fn judge(arguments: &Arguments, fault: &Fault) -> Result<Fate, String> {
    let cargo = |command: &str| {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&arguments.tree).arg(command);
        cargo.args(["--quiet", "--package", "openledger-differential", "--bin", "openledger-differential"]);
        cargo
    };
    let built = cargo("build").stderr(Stdio::piped()).output().map_err(|error| error.to_string())?;
    if !built.status.success() {
        let errors = String::from_utf8_lossy(&built.stderr);
        return Err(format!("{}: does not compile\n{errors}", fault.name));
    }
    let steps = arguments.steps.to_string();
    let compared = cargo("run").args(["--", "--steps", &steps]).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&compared.stdout);
    let how = said.lines().next().unwrap_or_default().to_owned();
    Ok(if compared.status.success() { Fate::Survived } else { Fate::Found(how) })
}
