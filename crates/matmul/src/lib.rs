#![doc = include_str!("../README.md")]

#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
mod memory;
mod tensors;
mod triangles;

pub use tensors::{Right, add_mm, mm_into, strided};
pub use triangles::{Lower, lower_mm, lower_product};
