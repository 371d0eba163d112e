//! Plants faults in a copy of the precompiles and sees whether the comparison finds each.
//!
//! All faults of `faults.toml` are built into one program, which has the one that the variable `FAULT` names.
#![allow(clippy::print_stdout)]

use clap::Parser;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Plants faults in the precompiles, which the comparison must find.
#[derive(Parser)]
struct Arguments {
    /// A copy of the repository that may be changed.
    #[arg(long)]
    tree: PathBuf,
    /// Where to build.
    #[arg(long)]
    target: PathBuf,
    /// Steps after which a fault that was not found counts as survived.
    #[arg(long, default_value_t = 1_000_000)]
    steps: u64,
}

#[derive(Deserialize)]
struct Faults {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    name: String,
    file: PathBuf,
    #[serde(default)]
    statement: bool,
    from: String,
    to: String,
}

/// Is added to the copy of the precompiles.
const PLANTED: &str = r#"
mod fault {
    /// Whether the fault `name` is the one that this run has.
    pub(crate) fn planted(name: &str) -> bool {
        static FAULT: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var("FAULT").ok());
        FAULT.as_deref() == Some(name)
    }
}
"#;

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
    let faults: Faults =
        toml::from_str(&read(&list)?).map_err(|error| format!("{}: {error}", list.display()))?;
    faults.fault.iter().try_for_each(|fault| plant(&arguments.tree, fault))?;
    let library = arguments.tree.join("precompiles/src/lib.rs");
    write(&library, &(read(&library)? + PLANTED))?;
    build(arguments)?;
    let (sound, how) = compare(arguments, "", arguments.steps / 10)?;
    if !sound {
        return Err(format!("finds a difference without any fault: {how}"));
    }
    let mut survivors = 0;
    for fault in &faults.fault {
        let (survived, how) = compare(arguments, &fault.name, arguments.steps)?;
        survivors += usize::from(survived);
        let fate = if survived { "SURVIVED" } else { "found   " };
        println!("{fate}  {}: {how}", fault.name);
    }
    println!("{} of {} found", faults.fault.len() - survivors, faults.fault.len());
    Ok(survivors == 0)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn plant(tree: &Path, fault: &Fault) -> Result<(), String> {
    let path = tree.join(&fault.file);
    let whole = read(&path)?;
    let places = whole.matches(&fault.from).count();
    if places != 1 {
        let file = fault.file.display();
        return Err(format!("{}: its text is {places} times in {file}; name it anew", fault.name));
    }
    let Fault { name, from, to, .. } = fault;
    let either = format!("if crate::fault::planted({name:?}) {{ {to} }} else {{ {from} }}");
    let either = if fault.statement { either } else { format!("({either})") };
    write(&path, &whole.replace(from, &either))
}

fn build(arguments: &Arguments) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&arguments.tree).env("CARGO_TARGET_DIR", &arguments.target);
    cargo.args(["build", "--quiet", "--workspace", "--bin", "openledger-differential"]);
    let built = cargo.output().map_err(|error| error.to_string())?;
    if built.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&built.stderr).into_owned()) }
}

/// Whether the comparison finds nothing, and the first line of what it says.
fn compare(arguments: &Arguments, fault: &str, steps: u64) -> Result<(bool, String), String> {
    let mut program = Command::new(arguments.target.join("debug/openledger-differential"));
    program.env("FAULT", fault).args(["--steps", &steps.to_string(), "--seed", "1"]);
    let ran = program.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let how = said.lines().next().unwrap_or("ended in a panic").to_owned();
    Ok((ran.status.success(), how))
}
