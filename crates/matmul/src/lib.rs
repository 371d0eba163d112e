#![doc = include_str!("../README.md")]

#[cfg(target_arch = "x86_64")]
mod kernel;
mod tensors;

pub use tensors::{Right, add_mm, mm, mm_into, strided};
