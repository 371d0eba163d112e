//! Channels: a payer deposits once and signs cumulative amounts off chain; the provider redeems the last.

use super::credits::credit;
use super::layout::{CHANNELS_SLOT, ChannelRecord, MINIMUM_CHANNEL_TIME};
use super::signatures::{self, Voucher};
use crate::frame::{Frame, Result, entry, load, revert, update};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolValue;
use openledger_abi::IPayouts::{self, *};
use openledger_abi::PAYOUTS;

/// A channel that was ever opened.
fn known(frame: &mut Frame<'_>, channel: B256) -> Result<(U256, ChannelRecord)> {
    let slot = entry(frame, CHANNELS_SLOT, channel)?;
    let record: ChannelRecord = load(frame, PAYOUTS, slot)?;
    if record.payer.is_zero() {
        revert!(UnknownChannel { channel });
    }
    Ok((slot, record))
}

/// A channel that is not closed.
fn open(frame: &mut Frame<'_>, channel: B256) -> Result<(U256, ChannelRecord)> {
    let found = known(frame, channel)?;
    if found.1.closed != 0 {
        revert!(UnknownChannel { channel });
    }
    Ok(found)
}

pub(super) fn open_channel(frame: &mut Frame<'_>, call: openChannelCall) -> Result<B256> {
    let openChannelCall { provider, signer, expiry, salt } = call;
    let (payer, deposit) = (frame.caller(), frame.value());
    if provider.is_zero() {
        revert!(ZeroAddress {});
    }
    if deposit.is_zero() {
        revert!(NoValue {});
    }
    let earliest = frame.now().saturating_add(MINIMUM_CHANNEL_TIME);
    if expiry < earliest {
        revert!(ExpiryTooSoon { earliest, given: expiry });
    }
    let signer = if signer.is_zero() { payer } else { signer };
    let preimage = (U256::from(frame.chain_id()), payer, provider, signer, salt).abi_encode();
    let channel = frame.keccak(&preimage)?;
    let slot = entry(frame, CHANNELS_SLOT, channel)?;
    let used: Address = load::<ChannelRecord>(frame, PAYOUTS, slot)?.payer;
    if !used.is_zero() {
        revert!(ChannelExists { channel });
    }
    let record = ChannelRecord { payer, expiry, provider, signer, deposit, ..ChannelRecord::default() };
    update(frame, PAYOUTS, slot, &ChannelRecord::default(), &record)?;
    frame.emit(PAYOUTS, &ChannelOpened { channel, payer, provider, signer, expiry, deposit })?;
    Ok(channel)
}

pub(super) fn fund(frame: &mut Frame<'_>, channel: B256, expiry: u64) -> Result<()> {
    let (slot, old) = open(frame, channel)?;
    if old.payer != frame.caller() {
        revert!(NotPayer { id: channel, account: frame.caller() });
    }
    if expiry < old.expiry {
        revert!(ExpiryTooSoon { earliest: old.expiry, given: expiry });
    }
    let amount = frame.value();
    let deposit = old.deposit.saturating_add(amount);
    update(frame, PAYOUTS, slot, &old, &ChannelRecord { expiry, deposit, ..old })?;
    frame.emit(PAYOUTS, &ChannelFunded { channel, amount, deposit, expiry })
}

pub(super) fn redeem(frame: &mut Frame<'_>, call: redeemVoucherCall) -> Result<U256> {
    let redeemVoucherCall { channel, cumulative, signature } = call;
    let (slot, old) = open(frame, channel)?;
    if old.provider != frame.caller() {
        revert!(NotProvider { channel, account: frame.caller() });
    }
    if cumulative > old.deposit {
        revert!(AboveDeposit { deposit: old.deposit, cumulative });
    }
    if cumulative <= old.redeemed {
        revert!(NothingNew { redeemed: old.redeemed, cumulative });
    }
    signatures::check(frame, old.signer, &Voucher { channel, cumulative }, &signature)?;
    let amount = cumulative.saturating_sub(old.redeemed);
    update(frame, PAYOUTS, slot, &old, &ChannelRecord { redeemed: cumulative, ..old })?;
    credit(frame, old.provider, amount)?;
    let redeemed = cumulative;
    frame.emit(PAYOUTS, &VoucherRedeemed { channel, provider: old.provider, amount, redeemed })?;
    Ok(amount)
}

pub(super) fn close(frame: &mut Frame<'_>, channel: B256) -> Result<U256> {
    let (slot, old) = open(frame, channel)?;
    if old.provider != frame.caller() && frame.now() <= old.expiry {
        revert!(ChannelOpen { channel, expiry: old.expiry });
    }
    update(frame, PAYOUTS, slot, &old, &ChannelRecord { closed: 1, ..old })?;
    let refunded = old.deposit.saturating_sub(old.redeemed);
    frame.emit(PAYOUTS, &ChannelClosed { channel, payer: old.payer, refunded })?;
    frame.pay(PAYOUTS, old.payer, refunded)?;
    Ok(refunded)
}

pub(super) fn channel_of(frame: &mut Frame<'_>, channel: B256) -> Result<IPayouts::Channel> {
    let (_, record) = known(frame, channel)?;
    let ChannelRecord { payer, provider, signer, expiry, deposit, redeemed, .. } = record;
    Ok(IPayouts::Channel { payer, provider, signer, expiry, deposit, redeemed })
}
