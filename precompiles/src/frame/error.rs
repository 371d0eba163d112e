//! How a call ends when it does not succeed.

use alloy_primitives::Bytes;
use alloy_sol_types::{Revert, SolError};

#[allow(missing_docs)]
mod interface {
    alloy_sol_types::sol! {
        #![sol(all_derives)]
        "../contracts/src/interfaces/IPrecompile.sol"
    }
}
pub use interface::IPrecompile;

/// Why a call did not succeed; in each case the EVM undoes the call's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The caller did something it may not: the ABI-encoded error, and the gas that is left goes back.
    Revert(Bytes),
    /// The gas ran out: all of it is spent.
    OutOfGas,
    /// The state below is broken (a database error); the block cannot be executed. Never for input.
    Fatal(String),
}

/// The result of precompile code.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A revert without data, as Solidity answers calldata that it cannot decode.
    pub(crate) const fn empty() -> Self {
        Self::Revert(Bytes::new())
    }

    /// A revert with a reason as text, where the interface has no typed error.
    pub(crate) fn because(reason: &str) -> Self {
        Self::of(Revert::from(reason))
    }

    /// A revert with a typed error.
    pub(crate) fn of(error: impl SolError) -> Self {
        Self::Revert(error.abi_encode().into())
    }
}

/// Reverts with a typed error.
macro_rules! revert {
    ($error:expr) => {
        return Err($crate::frame::Failure::of($error))
    };
}
pub(crate) use revert;
