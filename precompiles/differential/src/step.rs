//! One step of a sequence: time passes, then somebody calls one of the three.

use alloy_primitives::{Address, Bytes, U256, hex};
use alloy_sol_types::SolInterface;
use openledger_abi::{ATTRIBUTION, DATANETS, IAttribution, IDatanets, IPayouts, PAYOUTS};
use std::fmt;

/// One step of a sequence.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// Blocks that pass before the call.
    pub blocks: u64,
    /// Seconds that pass before the call.
    pub seconds: u64,
    /// The caller.
    pub from: Address,
    /// The contract called.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Selector and arguments.
    pub data: Bytes,
    /// The calldata was damaged after encoding.
    pub damaged: bool,
}

impl Step {
    /// The call as Solidity would write it, more or less; bytes where it does not decode.
    fn call(&self) -> String {
        let decoded = match self.to {
            DATANETS => IDatanets::IDatanetsCalls::abi_decode(&self.data).map(|call| format!("{call:?}")),
            ATTRIBUTION => {
                IAttribution::IAttributionCalls::abi_decode(&self.data).map(|call| format!("{call:?}"))
            }
            PAYOUTS => IPayouts::IPayoutsCalls::abi_decode(&self.data).map(|call| format!("{call:?}")),
            _ => return hex::encode_prefixed(&self.data),
        };
        match decoded {
            Ok(call) if self.damaged => format!("{call} from damaged {}", hex::encode_prefixed(&self.data)),
            Ok(call) => call,
            Err(_) => hex::encode_prefixed(&self.data),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.blocks != 0 || self.seconds != 0 {
            write!(f, "+{} blocks +{} s ", self.blocks, self.seconds)?;
        }
        write!(f, "{} → {:x}", self.from, self.to.0[19])?;
        if !self.value.is_zero() {
            write!(f, " with {} wei", self.value)?;
        }
        write!(f, ": {}", self.call())
    }
}
