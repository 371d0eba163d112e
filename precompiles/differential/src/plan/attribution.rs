//! Steps that call Attribution.

use super::facts::{Model as KnownModel, Note, Request, Settled};
use super::tail::TailTree;
use super::{Planned, Planner};
use alloy_primitives::{Address, U256};
use openledger_abi::COURT;
use openledger_abi::IAttribution::*;

const PPM: u32 = 1_000_000;

impl Planner {
    pub(super) fn any_of_attribution(&mut self) -> Planned {
        match self.rng.below(40) {
            0 => self.register(),
            1..4 => self.register_with(),
            4 => self.set_attestor(),
            5 => self.publish_faithfulness(),
            6..9 => self.refresh(),
            9..13 => self.bond(),
            13..15 => self.unbond(),
            15..25 => self.settle(),
            25..33 => self.settle_tail(),
            33..37 => self.freeze(),
            _ => self.resolve(),
        }
    }

    /// A Datanet that has a version, mostly one of the first two.
    fn published(&mut self) -> u64 {
        if self.odd(1) {
            return self.datanet();
        }
        let with: Vec<u64> = (1..)
            .zip(&self.facts.datanets)
            .filter(|(_, datanet)| datanet.versions > 0)
            .map(|(number, _)| number)
            .collect();
        let first = &with[..with.len().min(if self.rng.one_in(4) { with.len() } else { 2 })];
        if first.is_empty() { self.datanet() } else { *self.rng.pick(first) }
    }

    pub(super) fn spec(&mut self) -> ModelSpec {
        let count = if self.odd(1) { *self.rng.pick(&[0, 17]) } else { 1 + self.rng.below(3) };
        let mut datasets: Vec<DatasetRef> = Vec::new();
        for _ in 0..count {
            let datanet = self.published();
            datasets.push(DatasetRef { datanet, version: self.version_of(datanet) });
        }
        if !self.odd(1) {
            datasets.sort_by_key(|dataset| dataset.datanet);
            datasets.dedup_by_key(|dataset| dataset.datanet);
        }
        let mut split = [0, self.rng.below(4_000), self.rng.below(3_000), 0];
        split[0] = self.rng.below(2_000);
        split[3] = 10_000 - split[0] - split[1] - split[2];
        if self.odd(1) {
            split[0] = self.rng.below(70_000);
        }
        let [platform, model, stakers, contributors] = split.map(|bps| bps as u16);
        let price = Price {
            perTokenIn: u128::from(self.rng.below(50)),
            perTokenOut: u128::from(self.rng.below(50)),
            platformFee: u128::from(self.rng.below(1_000)),
        };
        let price = if self.odd(4) { Price { perTokenIn: u128::MAX, ..price } } else { price };
        ModelSpec {
            base: self.word(),
            adapterHash: self.word(),
            trainingHash: self.word(),
            method: self.word(),
            bandPpm: if self.odd(1) { 10_001 } else { self.rng.below(10_001) as u32 },
            price,
            split: Split { platform, model, stakers, contributors },
            datasets,
            metadataURI: self.text(256),
        }
    }

    pub(super) fn known(&self, owner: Address, spec: &ModelSpec) -> Note {
        Note::Model(Box::new(KnownModel {
            owner,
            attestors: vec![owner],
            datasets: spec.datasets.clone(),
            price: spec.price.clone(),
            split: spec.split.clone(),
        }))
    }

    pub(super) fn register(&mut self) -> Planned {
        let (who, spec) = (self.who(), self.spec());
        let note = self.known(who, &spec);
        Planned::attribution(who, &registerModelCall { spec }).noted(note)
    }

    pub(super) fn register_with(&mut self) -> Planned {
        let (mut who, spec) = (self.who(), self.spec());
        if self.rng.one_in(3) && !self.facts.grants.is_empty() {
            who = self.rng.pick(&self.facts.grants).1;
        }
        let count = if self.odd(1) { 9 } else { self.rng.below(3) };
        let mut parents: Vec<u64> = (0..count).map(|_| self.model()).collect();
        if self.facts.models.is_empty() {
            parents.clear();
        }
        if !self.odd(1) {
            parents.sort_unstable();
            parents.dedup();
        }
        let extras = ModelExtras {
            parents,
            dataOrderSeed: self.word(),
            hyperParameters: self.word(),
            checkpointRoot: self.word(),
            purposes: self.bits(),
            regions: self.bits(),
            shareAlike: self.rng.one_in(3),
        };
        let note = self.known(who, &spec);
        Planned::attribution(who, &registerModelWithCall { spec, extras }).noted(note)
    }

    fn owner_of_model(&mut self, model: u64) -> Address {
        let owner = self.facts.model(model).map(|model| model.owner);
        let who = self.who();
        self.mostly(owner.unwrap_or(who))
    }

    fn set_attestor(&mut self) -> Planned {
        let model = self.model();
        let (owner, attestor) = (self.owner_of_model(model), self.address());
        let call = setAttestorCall { model, attestor, allowed: !self.rng.one_in(4) };
        Planned::attribution(owner, &call).noted(Note::Attestor(model, attestor))
    }

    fn publish_faithfulness(&mut self) -> Planned {
        let model = self.model();
        let owner = self.owner_of_model(model);
        let call = publishFaithfulnessCall {
            model,
            ldsPpm: self.rng.next() as i32,
            errorPpm: self.rng.next() as u32,
            samples: self.rng.below(1_000) as u32,
            evidence: self.word(),
        };
        Planned::attribution(owner, &call)
    }

    fn refresh(&mut self) -> Planned {
        let model = self.model();
        self.refresh_of(model)
    }

    pub(super) fn refresh_of(&mut self, model: u64) -> Planned {
        let who = self.who();
        Planned::attribution(who, &refreshModelCall { model })
    }

    fn attestor(&mut self) -> Address {
        let attestors: Vec<Address> =
            self.facts.models.iter().flat_map(|model| model.attestors.iter().copied()).collect();
        if attestors.is_empty() { self.who() } else { *self.rng.pick(&attestors) }
    }

    pub(super) fn bond(&mut self) -> Planned {
        let attestor = self.attestor();
        let wei = if self.rng.one_in(2) { U256::from(self.rng.below(2_000_000)) } else { self.wei() };
        Planned::attribution(attestor, &bondCall {}).paying(wei)
    }

    fn unbond(&mut self) -> Planned {
        let attestor = self.attestor();
        Planned::attribution(attestor, &unbondCall { amount: self.wei() })
    }

    // ── Receipts ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn open_request(&mut self) -> Option<Request> {
        let open: Vec<&Request> = self.facts.requests.iter().filter(|request| request.open).collect();
        let closed = open.is_empty() || self.rng.clone().one_in(20);
        let all = if closed { self.facts.requests.iter().collect() } else { open };
        // The latest are likely still in time.
        let recent = &all[all.len().saturating_sub(6)..];
        if recent.is_empty() { None } else { Some((*self.rng.pick(recent)).clone()) }
    }

    /// Shares of rows of the model's Datanets, in order, that sum to at most the whole, and what they leave of it.
    fn shares(&mut self, model: u64) -> (Vec<ClusterShare>, u32) {
        let datasets = self.facts.model(model).map(|model| model.datasets.clone()).unwrap_or_default();
        let inside: Vec<(u64, u32)> = (1..)
            .zip(&self.facts.contributions)
            .filter(|(_, contribution)| {
                let of = |dataset: &DatasetRef| {
                    dataset.datanet == contribution.datanet
                        && (1..=dataset.version).contains(&contribution.since)
                };
                datasets.iter().any(of)
            })
            .map(|(number, contribution)| (number, contribution.rows))
            .collect();
        let count = *self.rng.pick(&[0, 1, 2, 3, 5, 8, 8, 20]);
        let count = if self.odd(4) { *self.rng.pick(&[64, 256, 257]) } else { count };
        let (mut shares, mut left) = (Vec::new(), PPM);
        for n in 0..count {
            let strange = inside.is_empty() || self.odd(4);
            let (contribution, rows) =
                if strange { (self.contribution(), 40) } else { *self.rng.pick(&inside) };
            let rows = if count > 20 { 100_000 } else { rows };
            let most = if self.rng.one_in(3) { left } else { left / (count - n) as u32 };
            let ppm = if self.odd(4) {
                self.rng.below(3) as u32
            } else {
                1 + self.rng.below(u64::from(most)) as u32
            };
            let ppm = ppm.min(left);
            left -= ppm;
            let row = if count > 20 { n as u32 } else { self.row(rows) };
            shares.push(ClusterShare { contribution, row, ppm });
        }
        shares.retain(|share| share.ppm > 0 || self.rng.one_in(50));
        if !self.odd(2) {
            shares.sort_by_key(|share| (share.contribution, share.row));
            let mut merged: Vec<ClusterShare> = Vec::new();
            for share in shares {
                match merged.last_mut() {
                    Some(last) if (last.contribution, last.row) == (share.contribution, share.row) => {
                        last.ppm += share.ppm;
                    }
                    _ => merged.push(share),
                }
            }
            shares = merged;
        }
        (shares, left)
    }

    fn receipt(&mut self, request: &Request, shares: Vec<ClusterShare>, unattributed: u32) -> Receipt {
        let price = self.facts.model(request.model).map(|model| model.price.clone());
        let most = price.map_or(10, |price| {
            let rate = price.perTokenIn.saturating_add(price.perTokenOut).max(1);
            request.max_fee.saturating_sub(price.platformFee) / rate
        });
        let most = u64::try_from(most).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        let most = if self.odd(1) { u64::from(u32::MAX) } else { most };
        Receipt {
            requestId: request.id,
            answerHash: self.word(),
            scoreRoot: self.word(),
            tokensIn: self.rng.below(most + 1) as u32,
            tokensOut: self.rng.below(most + 1) as u32,
            unattributedPpm: if self.odd(2) { self.rng.next() as u32 } else { unattributed },
            shares,
        }
    }

    fn attestor_of(&mut self, model: u64) -> Address {
        let who = self.who();
        let Some(known) = self.facts.model(model) else { return who };
        let attestor = known.attestors[self.rng.below(known.attestors.len() as u64) as usize];
        self.mostly(attestor)
    }

    fn note_settled(&self, request: &Request, receipt: &Receipt, tail: TailTree) -> Note {
        Note::Settled(Box::new(Settled {
            id: request.id,
            model: request.model,
            shares: receipt.shares.clone(),
            tail,
            frozen: false,
        }))
    }

    pub(super) fn settle(&mut self) -> Planned {
        let Some(request) = self.open_request() else { return self.request() };
        let (shares, left) = self.shares(request.model);
        let receipt = self.receipt(&request, shares, left);
        let attestor = self.attestor_of(request.model);
        self.moments.push(self.now + crate::world::CHALLENGE_WINDOW);
        let note = self.note_settled(&request, &receipt, TailTree::default());
        Planned::attribution(attestor, &settleCall { receipt }).noted(note)
    }

    /// Wei that a receipt's contributors get, by the model's price and split.
    fn contributors(&self, model: u64, receipt: &Receipt) -> U256 {
        let Some(known) = self.facts.model(model) else { return U256::ZERO };
        let tokens = [receipt.tokensIn, receipt.tokensOut].map(U256::from);
        let shared =
            tokens[0] * U256::from(known.price.perTokenIn) + tokens[1] * U256::from(known.price.perTokenOut);
        let part = |bps: u16| shared * U256::from(bps) / U256::from(10_000);
        let split = &known.split;
        shared.saturating_sub(part(split.platform) + part(split.model) + part(split.stakers))
    }

    fn settle_tail(&mut self) -> Planned {
        let Some(request) = self.open_request() else { return self.request() };
        let (shares, left) = self.shares(request.model);
        let ppm =
            if self.odd(1) { self.rng.next() as u32 } else { self.rng.below(u64::from(left) + 1) as u32 };
        let receipt = self.receipt(&request, shares, left.saturating_sub(ppm));
        let all = self.contributors(request.model, &receipt);
        let inline: u32 = receipt.shares.iter().fold(0, |sum, share| sum.saturating_add(share.ppm));
        let floor = |ppm: u32| all * U256::from(ppm) / U256::from(PPM);
        let amount = floor(inline.saturating_add(ppm)).saturating_sub(floor(inline));
        let tree = self.tail(amount);
        let tail = Tail {
            root: if self.odd(1) { self.word() } else { tree.root() },
            ppm,
            leaves: if self.odd(1) { self.rng.below(1 << 21) as u32 } else { tree.len() as u32 },
        };
        let note = self.note_settled(&request, &receipt, tree);
        let attestor = self.attestor_of(request.model);
        Planned::attribution(attestor, &settleTailCall { receipt, tail }).noted(note)
    }

    /// A tree that divides `amount`; now and then one that overstates a leaf.
    fn tail(&mut self, amount: U256) -> TailTree {
        let count = 1 + self.rng.below(9);
        let mut left = amount;
        let mut leaves = Vec::new();
        for n in 0..count {
            let part = if n + 1 == count { left } else { left / U256::from(1 + self.rng.below(4)) };
            left -= part;
            leaves.push((self.contribution(), part));
        }
        if self.odd(1) {
            leaves[0].1 = leaves[0].1.saturating_add(self.wei());
        }
        if self.odd(4) {
            leaves[0].1 = U256::MAX;
        }
        TailTree::new(leaves)
    }

    // ── Challenges ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn settled(&mut self, frozen: bool) -> Option<Settled> {
        let wanted: Vec<&Settled> =
            self.facts.settled.iter().filter(|settled| settled.frozen == frozen).collect();
        let recent = &wanted[wanted.len().saturating_sub(8)..];
        if recent.is_empty() { None } else { Some((*self.rng.pick(recent)).clone()) }
    }

    fn freeze(&mut self) -> Planned {
        let Some(settled) = self.settled(false) else { return self.settle() };
        let (court, challenger, stake) = (self.mostly(COURT), self.address(), self.wei());
        let call = freezeReceiptCall { requestId: settled.id, challenger };
        Planned::attribution(court, &call).paying(stake).noted(Note::Frozen(settled.id))
    }

    fn resolve(&mut self) -> Planned {
        let frozen = !self.odd(1);
        let Some(settled) = self.settled(frozen) else { return self.freeze() };
        let corrected = match self.rng.below(4) {
            0 => Vec::new(),
            1 => settled.shares.clone(),
            _ => self.shares(settled.model).0,
        };
        let call = resolveReceiptCall { requestId: settled.id, wrong: !self.rng.one_in(3), corrected };
        let court = self.mostly(COURT);
        Planned::attribution(court, &call)
    }
}
