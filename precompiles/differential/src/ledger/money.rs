//! Every wei: what came in and went out, and to whom what is held belongs.

use super::{Broken, Event, entry, expect, part};
use crate::side::Side;
use crate::world::{CHALLENGE_WINDOW, DEPOSIT, PLATFORM};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IAttribution::ClusterShare;
use openledger_abi::IAttribution::IAttributionEvents as A;
use openledger_abi::IDatanets::IDatanetsEvents as D;
use openledger_abi::IPayouts::IPayoutsEvents as P;
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use std::collections::BTreeMap;

/// Where the array of earners begins.
const EARNERS: U256 = U256::from_limbs([21, 0, 0, 0]);

#[derive(Debug)]
struct Receipt {
    attestor: Address,
    model: u64,
    shares: Vec<ClusterShare>,
    tail_ppm: u32,
    tail_wei: U256,
    unattributed: U256,
    settled_at: u64,
    contributors: U256,
    frozen: bool,
    open: bool,
    stake: U256,
}

#[derive(Debug, Default)]
pub(super) struct Money {
    /// Deposits that Datanets holds.
    deposits: U256,
    /// By attestor.
    bonds: BTreeMap<Address, U256>,
    stakes: U256,
    escrow: BTreeMap<B256, U256>,
    credits: BTreeMap<Address, U256>,
    accrued: BTreeMap<u64, U256>,
    tails: BTreeMap<B256, U256>,
    /// Vouchers' channels and streams: what is left in each.
    pots: BTreeMap<B256, U256>,
    /// What was paid to one of the three by somebody's wish, and is nobody's there.
    gifts: BTreeMap<Address, U256>,
    model_owners: BTreeMap<u64, Address>,
    receipts: BTreeMap<B256, Receipt>,
    /// Changed by the last step.
    touched: Touched,
}

#[derive(Debug, Default)]
struct Touched {
    credits: Vec<Address>,
    accrued: Vec<u64>,
}

fn take(what: &str, from: &mut U256, wei: U256) -> Result<(), Broken> {
    *from = from.checked_sub(wei).ok_or_else(|| format!("{what}: {wei} taken from {from}"))?;
    Ok(())
}

impl Money {
    fn credit(&mut self, account: Address, wei: U256) {
        *self.credits.entry(account).or_default() += wei;
        self.touched.credits.push(account);
    }

    fn accrue(&mut self, contribution: u64, wei: U256) {
        *self.accrued.entry(contribution).or_default() += wei;
        self.touched.accrued.push(contribution);
    }

    pub(super) fn take(&mut self, now: u64, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Datanets(event) => self.of_datanets(event),
            Event::Attribution(event) => self.of_attribution(now, event),
            Event::Payouts(event) => self.of_payouts(event),
        }
    }

    fn of_datanets(&mut self, event: &D) -> Result<(), Broken> {
        match event {
            D::Committed(e) => self.deposits += e.deposit,
            D::Revealed(_) => take("deposits", &mut self.deposits, U256::from(DEPOSIT))?,
            D::Forfeited(e) => take("deposits", &mut self.deposits, e.deposit)?,
            D::ContributionChallenged(e) => self.deposits += e.deposit,
            D::ChallengeResolved(e) => take("deposits", &mut self.deposits, e.deposit)?,
            D::ClusterChallenged(e) => self.deposits += e.deposit,
            D::ClusterResolved(e) => take("deposits", &mut self.deposits, e.deposit)?,
            D::Granted(e) => self.accrue(e.contribution, e.paid),
            _ => {}
        }
        Ok(())
    }

    fn of_attribution(&mut self, now: u64, event: &A) -> Result<(), Broken> {
        match event {
            A::ModelRegistered(e) => drop(self.model_owners.insert(e.model, e.owner)),
            A::Bonded(e) => {
                let bond = self.bonds.entry(e.attestor).or_default();
                *bond += e.amount;
                expect("bond", e.total, *bond)?;
            }
            A::Unbonded(e) => {
                let bond = self.bonds.entry(e.attestor).or_default();
                take("bond", bond, e.amount)?;
                expect("bond", e.total, *bond)?;
            }
            A::ReceiptSettled(e) => {
                let receipt = Receipt {
                    attestor: e.attestor,
                    model: e.model,
                    shares: e.shares.clone(),
                    tail_ppm: 0,
                    tail_wei: U256::ZERO,
                    unattributed: U256::ZERO,
                    settled_at: now,
                    contributors: U256::ZERO,
                    frozen: false,
                    open: true,
                    stake: U256::ZERO,
                };
                let given: u32 = e.shares.iter().map(|share| share.ppm).sum();
                if given + e.unattributedPpm > 1_000_000 {
                    return Err(format!("shares of {given} ppm and {} unattributed", e.unattributedPpm));
                }
                if self.receipts.insert(e.requestId, receipt).is_some() {
                    return Err(format!("{} settled twice", e.requestId));
                }
            }
            A::TailSettled(e) => {
                self.tails.insert(e.requestId, e.amount);
                if let Some(receipt) = self.receipts.get_mut(&e.requestId) {
                    (receipt.tail_ppm, receipt.tail_wei) = (e.ppm, e.amount);
                }
            }
            A::ReceiptFrozen(e) => {
                self.stakes += e.stake;
                let receipt = self.receipts.get_mut(&e.requestId).ok_or("an unknown receipt was frozen")?;
                expect("held by a frozen receipt", e.held, receipt.contributors)?;
                (receipt.frozen, receipt.stake) = (true, e.stake);
            }
            A::ReceiptUpheld(e) => {
                take("stakes", &mut self.stakes, e.burned)?;
                let receipt = self.receipts.get_mut(&e.requestId).ok_or("an unknown receipt was upheld")?;
                (receipt.frozen, receipt.open) = (false, false);
            }
            A::ReceiptSlashed(e) => {
                let receipt = self.receipts.get_mut(&e.requestId).ok_or("an unknown receipt was slashed")?;
                (receipt.frozen, receipt.open) = (false, false);
                expect("slashed", e.slashed, receipt.contributors)?;
                expect("slashed, divided", e.madeWhole + e.reward + e.burned, e.slashed)?;
                if e.reward * U256::from(10) > (e.slashed - e.madeWhole) * U256::from(3) {
                    return Err("a reward above three tenths".to_owned());
                }
                take("stakes", &mut self.stakes, receipt.stake)?;
                *self.gifts.entry(e.challenger).or_default() += receipt.stake + e.reward;
                take("bond", self.bonds.entry(e.attestor).or_default(), e.slashed)?;
            }
            A::MadeWhole(e) => self.accrue(e.contribution, e.amount),
            _ => {}
        }
        Ok(())
    }

    fn of_payouts(&mut self, event: &P) -> Result<(), Broken> {
        match event {
            P::Requested(e) => {
                if self.escrow.insert(e.requestId, e.maxFee).is_some() {
                    return Err(format!("{} requested twice", e.requestId));
                }
            }
            P::Refunded(e) => {
                let escrow = self.escrow.get_mut(&e.requestId).ok_or("an unknown request was refunded")?;
                take("escrow", escrow, e.amount)?;
                expect("escrow after a refund", *escrow, U256::ZERO)?;
            }
            P::Settled(e) => {
                let escrow = self.escrow.get_mut(&e.requestId).ok_or("an unknown request was settled")?;
                take("escrow", escrow, e.fee + e.refunded)?;
                expect("escrow after settlement", *escrow, U256::ZERO)?;
                let parts = e.platform + e.modelOwner + e.stakers + e.contributors;
                expect("parts of a fee", parts, e.fee)?;
                self.settle(e.requestId, e.contributors)?;
                let model_owner = self.model_owners.get(&e.model).copied().unwrap_or_default();
                let attestor = self.receipts.get(&e.requestId).map(|r| r.attestor).unwrap_or_default();
                self.credit(PLATFORM, e.platform);
                self.credit(model_owner, e.modelOwner);
                self.credit(attestor, e.stakers);
            }
            P::UnattributedCredited(e) => {
                self.credit(e.account, e.amount);
                if let Some(receipt) = self.receipts.get_mut(&e.requestId) {
                    receipt.unattributed += e.amount;
                }
            }
            P::Credited(e) => {
                let tail = self.tails.get_mut(&e.requestId).ok_or("a leaf of no tail was claimed")?;
                take("tail", tail, e.amount)?;
                self.credit(e.account, e.amount);
            }
            P::Drawn(e) => {
                take("accrued", self.accrued.entry(e.contribution).or_default(), e.amount)?;
                self.touched.accrued.push(e.contribution);
                self.credit(e.account, e.amount);
            }
            P::Claimed(e) => {
                take("credit", self.credits.entry(e.account).or_default(), e.amount)?;
                *self.gifts.entry(e.to).or_default() += e.amount;
                self.touched.credits.push(e.account);
            }
            P::ChannelOpened(e) => drop(self.pots.insert(e.channel, e.deposit)),
            P::ChannelFunded(e) => *self.pots.entry(e.channel).or_default() += e.amount,
            P::VoucherRedeemed(e) => {
                take("channel", self.pots.entry(e.channel).or_default(), e.amount)?;
                self.credit(e.provider, e.amount);
            }
            P::ChannelClosed(e) => self.empty(e.channel, e.refunded)?,
            P::StreamOpened(e) => drop(self.pots.insert(e.stream, e.deposit)),
            P::StreamFunded(e) => *self.pots.entry(e.stream).or_default() += e.amount,
            P::StreamDrawn(e) => {
                take("stream", self.pots.entry(e.stream).or_default(), e.amount)?;
                self.credit(e.to, e.amount);
            }
            P::StreamClosed(e) => self.empty(e.stream, e.refunded)?,
        }
        Ok(())
    }

    fn empty(&mut self, id: B256, wei: U256) -> Result<(), Broken> {
        let pot = self.pots.entry(id).or_default();
        take("channel or stream", pot, wei)?;
        expect("left in a closed channel or stream", *pot, U256::ZERO)
    }

    /// Divides what contributors get, by cumulative floors in the order of the shares.
    fn settle(&mut self, id: B256, contributors: U256) -> Result<(), Broken> {
        let receipt = self.receipts.get_mut(&id).ok_or("settled without a receipt")?;
        receipt.contributors = contributors;
        let (mut ppm, mut given, mut parts) = (0u64, U256::ZERO, Vec::new());
        for share in &receipt.shares {
            ppm += u64::from(share.ppm);
            let upto = part(contributors, ppm, 1_000_000);
            parts.push((share.contribution, upto - given));
            given = upto;
        }
        let upto = part(contributors, ppm + u64::from(receipt.tail_ppm), 1_000_000);
        expect("wei of a tail", receipt.tail_wei, upto - given)?;
        expect("wei of shares, tail and the rest", upto + receipt.unattributed, contributors)?;
        parts.into_iter().for_each(|(contribution, wei)| self.accrue(contribution, wei));
        Ok(())
    }

    /// What the accounts hold is what they owe, and what they say they owe is what the events say.
    pub(super) fn check(&mut self, now: u64, side: &mut Side) -> Result<(), Broken> {
        let sum = |wei: &mut dyn Iterator<Item = &U256>| wei.fold(U256::ZERO, |sum, wei| sum + *wei);
        let bonds = sum(&mut self.bonds.values()) + self.stakes;
        let owed = sum(&mut self.escrow.values())
            + sum(&mut self.credits.values())
            + sum(&mut self.accrued.values())
            + sum(&mut self.tails.values())
            + sum(&mut self.pots.values());
        for (account, held) in [(DATANETS, self.deposits), (ATTRIBUTION, bonds), (PAYOUTS, owed)] {
            let gifts = self.gifts.get(&account).copied().unwrap_or_default();
            expect("what one of the three holds", (account, side.balance(account)), (account, held + gifts))?;
        }
        let Touched { credits, accrued } = std::mem::take(&mut self.touched);
        for account in credits {
            let kept = side.slot(PAYOUTS, entry(account.into_word(), U256::from(3)));
            expect("credit", kept, self.credits.get(&account).copied().unwrap_or_default())?;
        }
        for contribution in accrued {
            let earner = side.slot(DATANETS, EARNERS + U256::from(contribution));
            let kept = earner & ((U256::ONE << 96) - U256::ONE);
            expect("accrued", kept, self.accrued.get(&contribution).copied().unwrap_or_default())?;
        }
        self.check_bonds(now)
    }

    /// No attestor owes more than its bond: what its receipts paid contributors while they can be challenged.
    fn check_bonds(&self, now: u64) -> Result<(), Broken> {
        let mut owed: BTreeMap<Address, U256> = BTreeMap::new();
        for receipt in self.receipts.values().filter(|receipt| receipt.open && receipt.model != 0) {
            if receipt.frozen || now < receipt.settled_at + CHALLENGE_WINDOW {
                *owed.entry(receipt.attestor).or_default() += receipt.contributors;
            }
        }
        for (attestor, wei) in owed {
            let bond = self.bonds.get(&attestor).copied().unwrap_or_default();
            if wei > bond {
                return Err(format!("{attestor} owes {wei} on a bond of {bond}"));
            }
        }
        Ok(())
    }
}
