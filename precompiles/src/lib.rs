//! The three stateful precompiles.
