//! Steps that call Payouts.

use super::facts::{Channel as KnownChannel, Note, Request as KnownRequest, Settled};
use super::{Planned, Planner};
use crate::signing::{Claim, Voucher, sign};
use crate::world::{self, DEADLINES};
use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_abi::CLAIM_ROUTER;
use openledger_abi::IPayouts::*;

impl Planner {
    pub(super) fn any_of_payouts(&mut self) -> Planned {
        match self.rng.below(48) {
            0..12 => self.request(),
            12..15 => self.refund(),
            15..18 => self.draw(),
            18..20 => self.draw_and_claim(),
            20 => self.claim(),
            21..23 => self.claim_for(),
            23 => self.claim_to(),
            24..29 => self.claim_tail(),
            29..32 => self.claim_by_signature(),
            32..35 => self.open_channel(),
            35 => self.fund_channel(),
            36..39 => self.redeem_voucher(),
            39..41 => self.close_channel(),
            41..44 => self.open_stream(),
            44 => self.fund_stream(),
            45..47 => self.draw_stream(),
            _ => self.close_stream(),
        }
    }

    pub(super) fn request(&mut self) -> Planned {
        let model = self.model();
        self.request_of(model)
    }

    pub(super) fn request_of(&mut self, model: u64) -> Planned {
        let payer = self.who();
        let deadline = if self.odd(1) {
            *self.rng.pick(&[0, self.now, self.now + DEADLINES.0 - 1, self.now + DEADLINES.1 + 1, u64::MAX])
        } else {
            let most = if self.rng.one_in(6) { 60 } else { DEADLINES.1 - DEADLINES.0 };
            self.now + DEADLINES.0 + self.rng.below(most)
        };
        self.moments.push(deadline);
        let value = match self.rng.below(8) {
            0 => U256::from(self.rng.below(1_200)),
            1 if self.odd(1) => U256::from(1u128 << 112),
            _ => U256::from(1_200 + self.rng.below(200_000)),
        };
        let max_fee = u128::try_from(value).unwrap_or(u128::MAX);
        let note = Note::Requested(KnownRequest { id: B256::ZERO, model, max_fee, open: true });
        let call = requestCall { model, promptHash: self.word(), deadline };
        Planned::payouts(payer, &call).paying(value).noted(note)
    }

    fn request_id(&mut self) -> B256 {
        if self.facts.requests.is_empty() || self.odd(1) {
            return self.word();
        }
        self.rng.pick(&self.facts.requests).id
    }

    fn refund(&mut self) -> Planned {
        let (who, id) = (self.who(), self.request_id());
        Planned::payouts(who, &refundCall { requestId: id }).noted(Note::Closed(id))
    }

    // ── Draws and claims ───────────────────────────────────────────────────────────────────────────────────────────

    fn contributions(&mut self) -> Vec<u64> {
        let count = if self.odd(1) { *self.rng.pick(&[64, 65]) } else { self.rng.below(5) };
        (0..count).map(|_| self.contribution()).collect()
    }

    fn draw(&mut self) -> Planned {
        let (who, contributions) = (self.who(), self.contributions());
        Planned::payouts(who, &drawCall { contributions })
    }

    fn draw_and_claim(&mut self) -> Planned {
        let (who, contributions) = (self.who(), self.contributions());
        Planned::payouts(who, &drawAndClaimCall { contributions })
    }

    fn claim(&mut self) -> Planned {
        let who = self.who();
        Planned::payouts(who, &claimCall {})
    }

    fn claim_for(&mut self) -> Planned {
        let (who, account) = (self.who(), self.address());
        Planned::payouts(who, &claimForCall { account })
    }

    fn claim_to(&mut self) -> Planned {
        let (by, account, to) = (self.mostly(CLAIM_ROUTER), self.address(), self.address());
        Planned::payouts(by, &claimToCall { account, to })
    }

    /// A signature that is spoilt now and then.
    fn spoilt(&mut self, signature: Bytes) -> Bytes {
        if !self.odd(1) {
            return signature;
        }
        let mut bytes = signature.to_vec();
        match self.rng.below(3) {
            0 => bytes.truncate(self.rng.below(66) as usize),
            1 => bytes.push(27),
            _ if !bytes.is_empty() => {
                let place = if self.rng.one_in(2) {
                    bytes.len() - 1
                } else {
                    self.rng.below(bytes.len() as u64) as usize
                };
                bytes[place] = self.rng.next() as u8;
            }
            _ => {}
        }
        bytes.into()
    }

    fn claim_by_signature(&mut self) -> Planned {
        let (who, to) = (self.who(), self.address());
        let signers = world::signers();
        let place = self.rng.below(3) as usize;
        let account = self.mostly(signers[place]);
        let nonce = if self.odd(1) { self.rng.below(4) } else { self.facts.nonces[place] };
        let deadline = if self.odd(1) { *self.rng.pick(&[0, self.now - 1, u64::MAX]) } else { self.now };
        let message = Claim { account, to, nonce: U256::from(nonce), deadline: U256::from(deadline) };
        let signature = sign(signers[place], &message);
        let call = claimBySignatureCall { account, to, deadline, signature: self.spoilt(signature) };
        Planned::payouts(who, &call).noted(Note::Signed(account))
    }

    fn claim_tail(&mut self) -> Planned {
        let with: Vec<&Settled> =
            self.facts.settled.iter().filter(|settled| settled.tail.len() > 0).collect();
        if with.is_empty() {
            return self.draw();
        }
        let settled = (*self.rng.pick(&with)).clone();
        let mut leaf = settled.tail.claim(self.rng.below(settled.tail.len() as u64) as usize);
        if self.odd(1) {
            match self.rng.below(6) {
                0 => leaf.index = self.rng.next() as u32,
                1 => leaf.amount = self.wei(),
                2 => leaf.contribution = self.contribution(),
                3 => drop(leaf.sums.pop()),
                4 => leaf.siblings.push(B256::ZERO),
                _ => leaf.sums.iter_mut().for_each(|sum| *sum = U256::MAX),
            }
        }
        let who = self.who();
        let id = if self.odd(1) { self.request_id() } else { settled.id };
        Planned::payouts(who, &claimTailCall { requestId: id, leaf })
    }

    // ── Vouchers ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn open_channel(&mut self) -> Planned {
        let (payer, provider, salt) = (self.who(), self.address(), self.word());
        let mut signer = *self.rng.pick(&world::signers());
        if self.rng.one_in(6) {
            signer = Address::ZERO;
        }
        let expiry =
            self.now + if self.odd(1) { self.rng.below(3_601) } else { 3_600 + self.rng.below(2_000) };
        self.moments.push(expiry);
        let value = self.wei();
        let known = KnownChannel {
            id: B256::ZERO,
            payer,
            provider,
            signer: if signer.is_zero() { payer } else { signer },
            expiry,
            deposit: value,
            redeemed: U256::ZERO,
        };
        let call = openChannelCall { provider, signer, expiry, salt };
        Planned::payouts(payer, &call).paying(value).noted(Note::Channel(Box::new(known)))
    }

    fn channel(&mut self) -> KnownChannel {
        let some = self.who();
        if self.facts.channels.is_empty() || self.odd(1) {
            let (id, none) = (self.word(), U256::ZERO);
            let (payer, provider, signer) = (some, some, some);
            return KnownChannel { id, payer, provider, signer, expiry: 0, deposit: none, redeemed: none };
        }
        self.rng.pick(&self.facts.channels).clone()
    }

    fn fund_channel(&mut self) -> Planned {
        let channel = self.channel();
        let (payer, value) = (self.mostly(channel.payer), self.wei());
        let expiry =
            if self.odd(1) { channel.expiry.saturating_sub(1) } else { channel.expiry + self.rng.below(100) };
        let call = fundChannelCall { channel: channel.id, expiry };
        Planned::payouts(payer, &call).paying(value).noted(Note::Funded(channel.id, value, expiry))
    }

    fn redeem_voucher(&mut self) -> Planned {
        let channel = self.channel();
        let left = channel.deposit.saturating_sub(channel.redeemed);
        let part = left / U256::from(1 + self.rng.below(4));
        let odd = if self.odd(1) { U256::from(self.rng.below(3)) } else { U256::ZERO };
        let cumulative = channel.redeemed.saturating_add(part).saturating_add(odd);
        let signature = sign(channel.signer, &Voucher { channel: channel.id, cumulative });
        let provider = self.mostly(channel.provider);
        let call = redeemVoucherCall { channel: channel.id, cumulative, signature: self.spoilt(signature) };
        Planned::payouts(provider, &call).noted(Note::Redeemed(channel.id, cumulative))
    }

    fn close_channel(&mut self) -> Planned {
        let mut channel = self.channel();
        // Where one ends just now, that is the one.
        let ending = self.facts.channels.iter().find(|known| known.expiry == self.now);
        if let Some(ending) = ending {
            channel = ending.clone();
        }
        let who = if self.rng.one_in(2) { self.who() } else { channel.provider };
        Planned::payouts(who, &closeChannelCall { channel: channel.id })
    }

    // ── Streams ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn open_stream(&mut self) -> Planned {
        let (payer, to, start, salt) = (self.who(), self.address(), self.second(), self.word());
        let rate =
            if self.odd(1) { *self.rng.pick(&[0, u128::MAX]) } else { u128::from(1 + self.rng.below(200)) };
        let value = self.wei();
        let call = openStreamCall { to, weiPerSecond: rate, start, salt };
        Planned::payouts(payer, &call).paying(value).noted(Note::Stream(payer))
    }

    fn stream(&mut self) -> (B256, Address) {
        if self.facts.streams.is_empty() || self.odd(1) {
            return (self.word(), self.who());
        }
        let stream = self.rng.pick(&self.facts.streams);
        (stream.id, stream.payer)
    }

    fn fund_stream(&mut self) -> Planned {
        let ((stream, _), who, value) = (self.stream(), self.who(), self.wei());
        Planned::payouts(who, &fundStreamCall { stream }).paying(value)
    }

    fn draw_stream(&mut self) -> Planned {
        let ((stream, _), who) = (self.stream(), self.who());
        Planned::payouts(who, &drawStreamCall { stream })
    }

    fn close_stream(&mut self) -> Planned {
        let (stream, payer) = self.stream();
        let payer = self.mostly(payer);
        Planned::payouts(payer, &closeStreamCall { stream })
    }
}
