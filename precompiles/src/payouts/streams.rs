//! Streams: a deposit that becomes someone's by the second.

use super::credits::credit;
use super::layout::{STREAMS_SLOT, StreamRecord};
use crate::frame::{Frame, Result, entry, load, revert, update};
use alloy_primitives::{B256, U256};
use alloy_sol_types::SolValue;
use openledger_abi::IPayouts::{self, *};
use openledger_abi::PAYOUTS;

impl StreamRecord {
    /// Wei that would have flowed by `now`, were there no end to the deposit: below 2^192.
    fn flow(&self, now: u64) -> U256 {
        U256::from(self.wei_per_second).saturating_mul(U256::from(now.saturating_sub(self.start)))
    }
}

/// A stream that was ever opened.
fn known(frame: &mut Frame<'_>, stream: B256) -> Result<(U256, StreamRecord)> {
    let slot = entry(frame, STREAMS_SLOT, stream)?;
    let record: StreamRecord = load(frame, PAYOUTS, slot)?;
    if record.payer.is_zero() {
        revert!(UnknownStream { stream });
    }
    Ok((slot, record))
}

/// A stream that is not closed.
fn open(frame: &mut Frame<'_>, stream: B256) -> Result<(U256, StreamRecord)> {
    let found = known(frame, stream)?;
    if found.1.closed != 0 {
        revert!(UnknownStream { stream });
    }
    Ok(found)
}

pub(super) fn open_stream(frame: &mut Frame<'_>, call: openStreamCall) -> Result<B256> {
    let openStreamCall { to, weiPerSecond: wei_per_second, start, salt } = call;
    let (payer, deposit) = (frame.caller(), frame.value());
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    if wei_per_second == 0 {
        revert!(ZeroRate {});
    }
    if deposit.is_zero() {
        revert!(NoValue {});
    }
    let preimage = (U256::from(frame.chain_id()), payer, to, U256::from(wei_per_second), salt).abi_encode();
    let stream = frame.keccak(&preimage)?;
    let slot = entry(frame, STREAMS_SLOT, stream)?;
    if !load::<StreamRecord>(frame, PAYOUTS, slot)?.payer.is_zero() {
        revert!(StreamExists { stream });
    }
    let start = start.max(frame.now());
    let record = StreamRecord { payer, start, to, wei_per_second, deposit, ..StreamRecord::default() };
    update(frame, PAYOUTS, slot, &StreamRecord::default(), &record)?;
    let event = StreamOpened { stream, payer, to, weiPerSecond: wei_per_second, start, deposit };
    frame.emit(PAYOUTS, &event)?;
    Ok(stream)
}

pub(super) fn fund(frame: &mut Frame<'_>, stream: B256) -> Result<()> {
    let (slot, old) = open(frame, stream)?;
    let (amount, now) = (frame.value(), frame.now());
    if amount.is_zero() {
        revert!(NoValue {});
    }
    let mut new = StreamRecord { deposit: old.deposit.saturating_add(amount), ..old };
    if old.flow(now) > old.deposit {
        // It ran dry: the new wei flow from now on, not from when they were missing.
        let flowed = old.deposit.checked_div(U256::from(old.wei_per_second)).unwrap_or_default();
        new.start = now.saturating_sub(flowed.saturating_to());
    }
    update(frame, PAYOUTS, slot, &old, &new)?;
    frame.emit(PAYOUTS, &StreamFunded { stream, amount, deposit: new.deposit })
}

/// Credits what has flowed and was not drawn; the record after it.
fn draw_new(
    frame: &mut Frame<'_>,
    stream: B256,
    slot: U256,
    old: StreamRecord,
) -> Result<(StreamRecord, U256)> {
    let flowed = old.flow(frame.now()).min(old.deposit);
    let amount = flowed.saturating_sub(old.drawn);
    if amount.is_zero() {
        return Ok((old, amount));
    }
    let new = StreamRecord { drawn: flowed, ..old };
    update(frame, PAYOUTS, slot, &old, &new)?;
    credit(frame, old.to, amount)?;
    frame.emit(PAYOUTS, &StreamDrawn { stream, to: old.to, amount })?;
    Ok((new, amount))
}

pub(super) fn draw(frame: &mut Frame<'_>, stream: B256) -> Result<U256> {
    let (slot, old) = open(frame, stream)?;
    let (_, amount) = draw_new(frame, stream, slot, old)?;
    if amount.is_zero() {
        revert!(NothingToClaim { account: old.to });
    }
    Ok(amount)
}

pub(super) fn close(frame: &mut Frame<'_>, stream: B256) -> Result<U256> {
    let (slot, old) = open(frame, stream)?;
    if old.payer != frame.caller() {
        revert!(NotPayer { id: stream, account: frame.caller() });
    }
    let (drawn, _) = draw_new(frame, stream, slot, old)?;
    update(frame, PAYOUTS, slot, &drawn, &StreamRecord { closed: 1, ..drawn })?;
    let refunded = drawn.deposit.saturating_sub(drawn.drawn);
    frame.emit(PAYOUTS, &StreamClosed { stream, payer: old.payer, refunded })?;
    frame.pay(PAYOUTS, old.payer, refunded)?;
    Ok(refunded)
}

pub(super) fn stream_of(frame: &mut Frame<'_>, stream: B256) -> Result<IPayouts::Stream> {
    let (_, record) = known(frame, stream)?;
    Ok(IPayouts::Stream {
        payer: record.payer,
        to: record.to,
        start: record.start,
        weiPerSecond: record.wei_per_second,
        deposit: record.deposit,
        drawn: record.drawn,
    })
}
