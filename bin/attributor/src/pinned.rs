//! `--pinned`: one thread and instructions that every processor has, so that one binary gives the same bits everywhere.
//!
//! libtorch reads its environment once, when it is loaded: the program starts itself again with the environment set.

use std::{env, os::unix::process::CommandExt, process::Command};

use eyre::{Result, eyre};

const FLAG: &str = "--pinned";
const ENVIRONMENT: [(&str, &str); 5] = [
    ("ATEN_CPU_CAPABILITY", "default"),
    ("MKL_CBWR", "COMPATIBLE"),
    ("ONEDNN_MAX_CPU_ISA", "SSE41"),
    ("OMP_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
];

/// Starts the program again where `--pinned` is among its arguments and the environment is another.
pub(crate) fn ensure() -> Result<()> {
    let asked = env::args_os().skip(1).any(|argument| argument == FLAG);
    let is_set = ENVIRONMENT.iter().all(|(name, value)| env::var_os(name).is_some_and(|set| set == *value));
    if !asked || is_set {
        return Ok(());
    }
    let program = env::current_exe()?;
    let error = Command::new(&program).args(env::args_os().skip(1)).envs(ENVIRONMENT).exec();
    Err(eyre!("{}: {error}", program.display()))
}

/// The threads to use: one where pinned.
pub(crate) const fn threads(pinned: bool, wanted: u32) -> u32 {
    if pinned { 1 } else { wanted }
}
