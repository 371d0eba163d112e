//! Gas of one call.

use super::{Failure, Loaded, Result};
use revm::context_interface::cfg::GasParams;
use revm::interpreter::SStoreResult;

/// What a call costs before it does anything.
pub(crate) const CALL_GAS: u64 = 100;
/// For each word of calldata, which is read, judged and written decoded.
pub(crate) const DECODE_GAS: u64 = 12;
/// For each word of what is returned, which is written encoded and read by the caller.
pub(crate) const ENCODE_GAS: u64 = 12;
/// For each share or earner that is put into the word that it is packed in, or taken out.
pub(crate) const UNPACK_GAS: u64 = 30;
/// LOG's constant part.
pub(crate) const LOG_GAS: u64 = 375;
/// KECCAK256's constant part.
pub(crate) const KECCAK_GAS: u64 = 30;
/// What the EVM's own precompile takes for recovering a signer.
pub(crate) const ECRECOVER_GAS: u64 = 3_000;

/// Counts the gas of one call against its limit.
#[derive(Clone, Debug)]
pub struct Meter {
    limit: u64,
    used: u64,
    wanted: u64,
    refunded: i64,
    params: GasParams,
}

impl Meter {
    /// A meter with `limit` gas and the active fork's prices.
    pub const fn new(limit: u64, params: GasParams) -> Self {
        Self { limit, used: 0, wanted: 0, refunded: 0, params }
    }

    /// Takes gas, or ends the call.
    ///
    /// # Errors
    ///
    /// [`Failure::OutOfGas`].
    pub fn charge(&mut self, gas: u64) -> Result<()> {
        self.require(gas)?;
        self.used += gas;
        Ok(())
    }

    /// Ends the call unless there is so much gas left.
    ///
    /// # Errors
    ///
    /// [`Failure::OutOfGas`].
    pub fn require(&mut self, gas: u64) -> Result<()> {
        self.wanted = self.wanted.max(self.used.saturating_add(gas));
        if gas <= self.left() { Ok(()) } else { Err(Failure::OutOfGas) }
    }

    /// The least limit with which the call comes as far as it did, and past the charge that it failed at.
    pub const fn wanted(&self) -> u64 {
        self.wanted
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

    /// Charges `cold` for what was cold, or was not loaded because there is not so much gas.
    pub(crate) fn charge_cold<T>(&mut self, loaded: Option<Loaded<T>>, cold: u64) -> Result<T> {
        let Some(Loaded { value, is_cold }) = loaded else {
            self.require(cold)?;
            return Err(Failure::OutOfGas);
        };
        if is_cold {
            self.charge(cold)?;
        }
        Ok(value)
    }

    /// Pays for an SLOAD, which is told whether to skip what is cold.
    pub(crate) fn sload<T>(&mut self, load: impl FnOnce(bool) -> Result<Option<Loaded<T>>>) -> Result<T> {
        self.charge(self.params.warm_storage_read_cost())?;
        let cold = self.params.cold_storage_additional_cost();
        let loaded = load(self.left() < cold)?;
        self.charge_cold(loaded, cold)
    }

    /// Pays for an SSTORE, which is told whether to skip what is cold.
    pub(crate) fn sstore(
        &mut self,
        store: impl FnOnce(bool) -> Result<Option<Loaded<SStoreResult>>>,
    ) -> Result<()> {
        let (stipend, fixed, cold) =
            (self.params.call_stipend(), self.params.sstore_static_gas(), self.params.cold_storage_cost());
        self.require(stipend.saturating_add(1))?;
        self.charge(fixed)?;
        let Some(stored) = store(self.left() < cold)? else {
            self.require(cold)?;
            return Err(Failure::OutOfGas);
        };
        let dynamic = self.params.sstore_dynamic_gas(true, &stored.value, stored.is_cold);
        let refund = self.params.sstore_refund(true, &stored.value);
        self.charge(dynamic)?;
        self.refund(refund);
        Ok(())
    }

    pub(crate) const fn refund(&mut self, gas: i64) {
        self.refunded = self.refunded.saturating_add(gas);
    }
}
