//! One call: who calls, and the state with every access paid for.

use super::gas::{DECODE_GAS, ECRECOVER_GAS, ENCODE_GAS, KECCAK_GAS, LOG_GAS, UNPACK_GAS};
use super::table::sequence_words;
use super::{ActiveForks, Backend, Failure, Meter, Purity, Result, Work};
use alloy_primitives::{Address, B256, Log, U256, keccak256};
use alloy_sol_types::{SolEvent, TopicList};
use std::fmt;

/// Who calls, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The caller.
    pub caller: Address,
    /// Wei sent along; already moved.
    pub value: U256,
    /// Nothing may change.
    pub is_static: bool,
    /// The precompile acts on its own account: neither DELEGATECALL nor CALLCODE.
    pub is_direct: bool,
}

/// One call of a precompile. Every access to the state goes through here and is charged first.
pub struct Frame<'a> {
    call: Call,
    meter: Meter,
    forks: ActiveForks,
    purity: Purity,
    backend: &'a mut dyn Backend,
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("call", &self.call).field("meter", &self.meter).finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// A call on `backend` with what `meter` holds, at a block at which every fork is active.
    pub fn new(call: Call, meter: Meter, backend: &'a mut dyn Backend) -> Self {
        Self { call, meter, forks: ActiveForks::ALL, purity: Purity::Payable, backend }
    }

    /// The same at a block at which `forks` are active.
    pub fn under(self, forks: ActiveForks) -> Self {
        Self { forks, ..self }
    }

    /// The chain's own forks that are active at the block.
    pub const fn forks(&self) -> ActiveForks {
        self.forks
    }

    /// From here on nothing happens that a function of this kind may not do.
    pub(crate) const fn restrict(&mut self, purity: Purity) {
        self.purity = purity;
    }

    /// A mistake of ours, were it ever to happen; a revert keeps the chain alive.
    fn may_write(&self) -> Result<()> {
        if self.call.is_static || !self.purity.writes() {
            return Err(Failure::because("state change in a function that makes none"));
        }
        Ok(())
    }

    /// Who calls, and how.
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// The gas so far.
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) const fn caller(&self) -> Address {
        self.call.caller
    }

    pub(crate) const fn value(&self) -> U256 {
        self.call.value
    }

    pub(crate) fn block_number(&self) -> u64 {
        self.backend.block_number()
    }

    pub(crate) fn now(&self) -> u64 {
        self.backend.timestamp()
    }

    pub(crate) fn chain_id(&self) -> u64 {
        self.backend.chain_id()
    }

    pub(crate) fn charge(&mut self, gas: u64) -> Result<()> {
        self.meter.charge(gas)
    }

    /// Charges for decoding `bytes` of calldata.
    pub(crate) fn charge_decode(&mut self, bytes: usize) -> Result<()> {
        self.meter.charge(DECODE_GAS.saturating_mul(bytes.div_ceil(32) as u64))?;
        self.backend.note(Work::Decode(bytes));
        Ok(())
    }

    /// Charges for putting `shares`, or earners, into the words that they are packed in, or taking them out, and for
    /// dividing by them.
    pub(crate) fn charge_unpack(&mut self, shares: usize) -> Result<()> {
        self.meter.charge(UNPACK_GAS.saturating_mul(shares as u64))
    }

    /// Charges for encoding `bytes` of return data.
    pub(crate) fn charge_encode(&mut self, bytes: usize) -> Result<()> {
        self.meter.charge(ENCODE_GAS.saturating_mul(bytes.div_ceil(32) as u64))?;
        self.backend.note(Work::Encode(bytes));
        Ok(())
    }

    /// Charges for hashing `bytes` bytes.
    pub(crate) fn charge_keccak(&mut self, bytes: usize) -> Result<()> {
        self.meter.charge(KECCAK_GAS + self.meter.params().keccak256_cost(bytes))?;
        self.backend.note(Work::Hash(bytes));
        Ok(())
    }

    /// Charges for recovering a signer.
    pub(crate) fn charge_recover(&mut self) -> Result<()> {
        self.meter.charge(ECRECOVER_GAS)?;
        self.backend.note(Work::Recover);
        Ok(())
    }

    pub(crate) fn keccak(&mut self, bytes: &[u8]) -> Result<B256> {
        self.charge_keccak(bytes.len())?;
        Ok(keccak256(bytes))
    }

    fn may_read(&self) -> Result<()> {
        if self.purity == Purity::Pure {
            return Err(Failure::because("state read in a pure function"));
        }
        Ok(())
    }

    /// SLOAD.
    pub(crate) fn sload(&mut self, account: Address, slot: U256) -> Result<U256> {
        self.may_read()?;
        let backend = &mut *self.backend;
        self.meter.sload(|skip_cold| backend.sload(account, slot, skip_cold))
    }

    /// SLOAD of one slot of an account after the other; `take` gets what is in them.
    pub(crate) fn sload_each(
        &mut self,
        account: Address,
        slots: impl IntoIterator<Item = U256>,
        mut take: impl FnMut(U256),
    ) -> Result<()> {
        self.may_read()?;
        let (meter, mut slots) = (&mut self.meter, slots.into_iter());
        self.backend.with_slots(account, &mut |storage| {
            slots.try_for_each(|slot| {
                take(meter.sload(|skip_cold| storage.sload(slot, skip_cold))?);
                Ok(())
            })
        })
    }

    /// SSTORE, with EIP-2200's stipend rule and EIP-3529's refunds.
    pub(crate) fn sstore(&mut self, account: Address, slot: U256, value: U256) -> Result<()> {
        self.may_write()?;
        let backend = &mut *self.backend;
        self.meter.sstore(|skip_cold| backend.sstore(account, slot, value, skip_cold))
    }

    /// SSTORE of one slot of an account after the other.
    pub(crate) fn sstore_each(
        &mut self,
        account: Address,
        changes: impl IntoIterator<Item = (U256, U256)>,
    ) -> Result<()> {
        let mut changes = changes.into_iter().peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        self.may_write()?;
        let meter = &mut self.meter;
        self.backend.with_slots(account, &mut |storage| {
            changes.try_for_each(|(slot, value)| {
                meter.sstore(|skip_cold| storage.sstore(slot, value, skip_cold))
            })
        })
    }

    /// Emits an event from `account`.
    pub(crate) fn emit<E: SolEvent>(&mut self, account: Address, event: &E) -> Result<()> {
        self.may_write()?;
        let bytes = 32 * sequence_words(&event.tokenize_body()) as u64;
        let topics = E::TopicList::COUNT as u8;
        self.meter.charge(LOG_GAS + self.meter.params().log_cost(topics, bytes))?;
        self.backend.log(Log { address: account, data: event.encode_log_data() });
        Ok(())
    }

    /// Pays `wei` out of a precompile's account; runs no code of the receiver. Zero does nothing.
    pub(crate) fn pay(&mut self, from: Address, to: Address, wei: U256) -> Result<()> {
        if wei.is_zero() {
            return Ok(());
        }
        self.may_write()?;
        let params = self.meter.params();
        let (fixed, cold, new) = (
            params.transfer_value_cost() + params.warm_storage_read_cost(),
            params.cold_account_additional_cost(),
            params.new_account_cost(true, true),
        );
        self.meter.charge(fixed)?;
        let skip_cold = self.meter.left() < cold;
        let empty = self.backend.is_empty(to, skip_cold)?;
        if self.meter.charge_cold(empty, cold)? {
            self.meter.charge(new)?;
        }
        if self.backend.transfer(from, to, wei)? {
            Ok(())
        } else {
            // Unreachable while the accounts are conserved; a revert keeps the chain alive if they ever are not.
            Err(Failure::because("the precompile holds too little"))
        }
    }
}
