//! attributor.

fn main() {}
