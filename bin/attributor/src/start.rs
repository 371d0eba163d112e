//! `attributor`: starts the sidecar, or says which libraries it lacks.
//!
//! The sidecar has libtorch in it, without which the dynamic loader ends it before its first line. This program has
//! not: it asks the loader first.

use std::{
    env, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

/// The sidecar's file, beside this one.
const SIDECAR: &str = "attributor-torch";

fn main() -> ExitCode {
    eprintln!("error: {}", start());
    ExitCode::FAILURE
}

/// Becomes the sidecar; comes back only to say why it could not.
fn start() -> String {
    let sidecar = match env::current_exe() {
        Ok(this) => this.with_file_name(SIDECAR),
        Err(error) => return format!("finding this program: {error}"),
    };
    if !sidecar.is_file() {
        return format!("{} is missing: run `make build`", sidecar.display());
    }
    match missing_libraries(&sidecar) {
        Ok(missing) if !missing.is_empty() => {
            return format!(
                "{SIDECAR} cannot start without {}: run deploy/setup.sh, which installs libtorch where the build \
                 expects it, or name its lib folder in LD_LIBRARY_PATH",
                missing.join(", ")
            );
        }
        // Where the loader cannot be asked, the start itself shows what is wrong.
        Ok(_) | Err(_) => {}
    }
    let error = Command::new(&sidecar).args(env::args_os().skip(1)).exec();
    format!("{}: {error}", sidecar.display())
}

/// Names of the shared libraries that the dynamic loader does not find. It is asked as `ldd` asks it, and does not
/// run the program.
fn missing_libraries(program: &Path) -> io::Result<Vec<String>> {
    let listed = Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1").output()?;
    let mut missing: Vec<String> =
        String::from_utf8_lossy(&listed.stdout).lines().filter_map(missing_in).collect();
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

/// The library that a line of the loader's list says is missing.
fn missing_in(line: &str) -> Option<String> {
    let (name, found) = line.split_once("=>")?;
    (found.trim() == "not found").then(|| name.trim().to_owned())
}
