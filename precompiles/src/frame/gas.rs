//! Gas of one call.

use super::{Failure, Result};
use revm::context_interface::cfg::GasParams;

/// What a call costs before it does anything.
pub(crate) const CALL_GAS: u64 = 100;
/// LOG's constant part.
pub(crate) const LOG_GAS: u64 = 375;
/// KECCAK256's constant part.
pub(crate) const KECCAK_GAS: u64 = 30;

/// Counts the gas of one call against its limit.
#[derive(Clone, Debug)]
pub struct Meter {
    limit: u64,
    used: u64,
    refunded: i64,
    params: GasParams,
}

impl Meter {
    /// A meter with `limit` gas and the active fork's prices.
    pub const fn new(limit: u64, params: GasParams) -> Self {
        Self { limit, used: 0, refunded: 0, params }
    }

    /// Takes gas, or ends the call.
    ///
    /// # Errors
    ///
    /// [`Failure::OutOfGas`].
    pub fn charge(&mut self, gas: u64) -> Result<()> {
        match self.used.checked_add(gas) {
            Some(used) if used <= self.limit => {
                self.used = used;
                Ok(())
            }
            _ => Err(Failure::OutOfGas),
        }
    }

    /// Gas that is left.
    pub const fn left(&self) -> u64 {
        self.limit - self.used
    }

    /// Gas used so far.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Refund earned so far; may be negative within a transaction.
    pub const fn refunded(&self) -> i64 {
        self.refunded
    }

    /// The active fork's prices.
    pub const fn params(&self) -> &GasParams {
        &self.params
    }

    pub(crate) const fn refund(&mut self, gas: i64) {
        self.refunded = self.refunded.saturating_add(gas);
    }
}
