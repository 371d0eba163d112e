//! openledger.

fn main() {}
