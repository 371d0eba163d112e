#![doc = include_str!("../README.md")]

mod recover;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use recover::recover_signers;
