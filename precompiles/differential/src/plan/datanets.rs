//! Steps that call Datanets.

use super::facts::{Commitment, Contribution, Note};
use super::{Planned, Planner};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IDatanets::*;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN};
use openledger_shares::contribution_commitment;

impl Planner {
    pub(super) fn any_of_datanets(&mut self) -> Planned {
        match self.rng.below(54) {
            0 => self.create_datanet(),
            1..3 => self.create_derived(),
            3..5 => self.set_rules(),
            5 => self.set_curator(),
            6 => self.set_moderator(),
            7..9 => self.transfer_datanet(),
            9..14 => self.commit(),
            14..16 => self.reveal(),
            16..20 => self.reveal_with(),
            20..22 => self.forfeit(),
            22..24 => self.approve(),
            24 => self.reject(),
            25..27 => self.challenge_contribution(),
            27..29 => self.resolve_contribution(),
            29 => self.tombstone(),
            30..34 => self.publish(),
            34..37 => self.transfer_contribution(),
            37..40 => self.transfer_share(),
            40..43 => self.record_cluster(),
            43 => self.challenge_cluster(),
            44 => self.resolve_cluster(),
            45..48 => self.grant(),
            48..50 => self.buy_grant(),
            50..52 => self.revoke_grant(),
            _ => self.withdraw_licence(),
        }
    }

    pub(super) fn owner_of(&mut self, datanet: u64) -> Address {
        let owner = self.facts.datanet(datanet).map(|datanet| datanet.owner);
        let who = self.who();
        self.mostly(owner.unwrap_or(who))
    }

    fn curator_of(&mut self, datanet: u64) -> Address {
        let who = self.who();
        let Some(known) = self.facts.datanet(datanet) else { return who };
        let curator = known.curators[self.rng.below(known.curators.len() as u64) as usize];
        self.mostly(curator)
    }

    pub(super) fn title_of(&mut self, contribution: u64) -> Address {
        let title = self.facts.contribution(contribution).map(|contribution| contribution.title);
        let who = self.who();
        self.mostly(title.unwrap_or(who))
    }

    /// A contribution and its Datanet.
    fn contributed(&mut self) -> (u64, u64) {
        let contribution = self.contribution();
        (contribution, self.facts.contribution(contribution).map_or(1, |known| known.datanet))
    }

    pub(super) fn create_datanet(&mut self) -> Planned {
        let who = self.who();
        let (domain, uri) = (self.text(64), self.text(256));
        let call = createDatanetCall { schemaHash: self.word(), domain, metadataURI: uri };
        Planned::datanets(who, &call).noted(Note::Datanet(who))
    }

    /// One that takes every licence.
    pub(super) fn create_permissive(&mut self) -> Planned {
        let who = self.who();
        let call = createDatanetWithCall {
            schemaHash: self.word(),
            domain: self.text(64),
            metadataURI: self.text(256),
            rules: Rules { revocableAllowed: true, ..Rules::default() },
            parents: Vec::new(),
        };
        Planned::datanets(who, &call).noted(Note::Datanet(who))
    }

    fn rules(&mut self) -> Rules {
        Rules {
            closed: self.rng.one_in(12),
            approvalRequired: self.rng.one_in(4),
            revocableAllowed: !self.rng.one_in(4),
            requiredUses: if self.rng.one_in(4) { self.uses() } else { 0 },
            maxRows: if self.odd(1) {
                self.rng.next() as u32
            } else {
                self.rng.pick(&[0, 0, 40, 16_777_215]).to_owned()
            },
        }
    }

    pub(super) fn create_derived(&mut self) -> Planned {
        let who = self.who();
        let count = if self.odd(2) { 5 } else { self.rng.below(4) };
        let mut parents = Vec::new();
        for _ in 0..count {
            let datanet = self.datanet();
            let version = self.version_of(datanet);
            if self.odd(1) || parents.iter().all(|parent: &DatanetVersion| parent.datanet != datanet) {
                parents.push(DatanetVersion { datanet, version });
            }
        }
        let call = createDatanetWithCall {
            schemaHash: self.word(),
            domain: self.text(64),
            metadataURI: self.text(256),
            rules: self.rules(),
            parents,
        };
        Planned::datanets(who, &call).noted(Note::Datanet(who))
    }

    pub(super) fn version_of(&mut self, datanet: u64) -> u32 {
        let versions = self.facts.datanet(datanet).map_or(1, |datanet| datanet.versions);
        if self.odd(1) { self.rng.below(4) as u32 } else { 1 + self.rng.below(u64::from(versions)) as u32 }
    }

    fn set_rules(&mut self) -> Planned {
        let datanet = self.datanet();
        let owner = self.owner_of(datanet);
        Planned::datanets(owner, &setRulesCall { datanet, rules: self.rules() })
    }

    fn set_curator(&mut self) -> Planned {
        let datanet = self.datanet();
        let (owner, curator, allowed) = (self.owner_of(datanet), self.address(), !self.rng.one_in(4));
        let call = setCuratorCall { datanet, curator, allowed };
        Planned::datanets(owner, &call).noted(Note::Curator(datanet, curator))
    }

    fn set_moderator(&mut self) -> Planned {
        let datanet = self.datanet();
        let (owner, moderator) = (self.owner_of(datanet), self.address());
        Planned::datanets(owner, &setModeratorCall { datanet, moderator, allowed: !self.rng.one_in(4) })
    }

    fn transfer_datanet(&mut self) -> Planned {
        let datanet = self.datanet();
        let (from, to, by) = (self.owner_of(datanet), self.address(), self.mostly(DATANET_TOKEN));
        let call = transferDatanetCall { from, to, datanet };
        Planned::datanets(by, &call).noted(Note::DatanetMoved(datanet, to))
    }

    // ── Commit and reveal ──────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn commit(&mut self) -> Planned {
        let (owner, datanet, root, salt) = (self.who(), self.datanet(), self.rng.word(), self.word());
        let hash = if self.odd(1) && !self.facts.commitments.is_empty() {
            // Somebody else's, copied.
            self.rng.pick(&self.facts.commitments).hash
        } else {
            contribution_commitment(crate::world::CHAIN, datanet, owner, root, salt)
        };
        let note = Note::Committed(Commitment { owner, datanet, root, salt, hash });
        let deposit = self.deposit();
        Planned::datanets(owner, &commitCall { commitment: hash }).paying(deposit).noted(note)
    }

    fn commitment(&mut self) -> Commitment {
        let some = B256::repeat_byte(1);
        let none = Commitment { owner: self.who(), datanet: 1, root: some, salt: some, hash: some };
        if self.facts.commitments.is_empty() {
            return none;
        }
        let place = self.rng.below(self.facts.commitments.len() as u64);
        self.facts.commitments[place as usize].clone()
    }

    fn rows(&mut self) -> u32 {
        if self.odd(1) {
            *self.rng.pick(&[0, 16_777_215, 16_777_216, u32::MAX])
        } else {
            1 + self.rng.below(40) as u32
        }
    }

    pub(super) fn revealed(&mut self, c: &Commitment, rows: u32, fee: u128, others: &[OwnerShare]) -> Note {
        let owners = [c.owner].into_iter().chain(others.iter().map(|other| other.account)).collect();
        let known = Contribution { datanet: c.datanet, title: c.owner, owners, rows, since: 0, fee };
        Note::Revealed(Box::new(known), c.hash)
    }

    pub(super) fn reveal(&mut self) -> Planned {
        let c = self.commitment();
        let (rows, licence, expiry) = (self.rows(), self.uses(), self.second());
        let note = self.revealed(&c, rows, 0, &[]);
        let call = revealCall { datanet: c.datanet, root: c.root, salt: c.salt, rows, licence, expiry };
        let owner = self.mostly(c.owner);
        Planned::datanets(owner, &call).noted(note)
    }

    pub(super) fn reveal_with(&mut self) -> Planned {
        let c = self.commitment();
        let rows = self.rows();
        let fee = if self.odd(2) {
            // More than a contribution's accrual can hold.
            (1u128 << 96) - u128::from(self.rng.below(2))
        } else if self.rng.one_in(if self.steps < 30 { 30 } else { 8 }) {
            u128::from(self.rng.below(5_000))
        } else {
            0
        };
        let terms = Terms {
            uses: self.uses(),
            purposes: self.bits(),
            regions: self.bits(),
            expiry: self.second(),
            fee,
            shareAlike: self.rng.one_in(if self.steps < 30 { 40 } else { 16 }),
            // Of the prologue's Datanets the second takes them.
            revocable: if self.steps < 30 { c.datanet == 2 } else { self.rng.one_in(3) },
        };
        let count = if self.odd(1) {
            16
        } else {
            self.rng.below(4).saturating_sub(1) + 12 * u64::from(self.rng.one_in(16))
        };
        let mut others: Vec<OwnerShare> = Vec::new();
        for n in 0..count {
            let account = if count > 5 { Address::repeat_byte(n as u8 + 1) } else { self.address() };
            let bps = if self.odd(1) { self.rng.below(10_002) } else { 1 + self.rng.below(600) };
            let known = account == c.owner || others.iter().any(|other| other.account == account);
            if !known || self.odd(1) {
                others.push(OwnerShare { account, bps: bps as u16 });
            }
        }
        let note = self.revealed(&c, rows, fee, &others);
        let call =
            revealWithCall { datanet: c.datanet, root: c.root, salt: c.salt, rows, terms, coOwners: others };
        let owner = self.mostly(c.owner);
        Planned::datanets(owner, &call).noted(note)
    }

    fn forfeit(&mut self) -> Planned {
        let c = self.commitment();
        let who = self.who();
        Planned::datanets(who, &forfeitCall { owner: c.owner, commitment: c.hash })
            .noted(Note::Forfeited(c.hash))
    }

    // ── Judging ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn approve(&mut self) -> Planned {
        let (contribution, datanet) = self.contributed();
        let curator = self.curator_of(datanet);
        Planned::datanets(curator, &approveContributionCall { contribution })
    }

    fn reject(&mut self) -> Planned {
        let (contribution, datanet) = self.contributed();
        let curator = self.curator_of(datanet);
        Planned::datanets(curator, &rejectContributionCall { contribution, reason: self.text(256) })
    }

    fn challenge_contribution(&mut self) -> Planned {
        let (who, contribution, reason) = (self.who(), self.contribution(), self.text(256));
        let deposit = self.deposit();
        Planned::datanets(who, &challengeContributionCall { contribution, reason }).paying(deposit)
    }

    fn resolve_contribution(&mut self) -> Planned {
        let (contribution, datanet) = self.contributed();
        let owner = self.owner_of(datanet);
        let call =
            resolveContributionCall { contribution, upheld: self.rng.one_in(2), reason: self.text(256) };
        Planned::datanets(owner, &call)
    }

    fn tombstone(&mut self) -> Planned {
        let contribution = self.contribution();
        let title = self.title_of(contribution);
        Planned::datanets(title, &tombstoneCall { contribution, reason: self.text(256) })
    }

    pub(super) fn publish(&mut self) -> Planned {
        let datanet = if self.steps < 30 { 1 + self.steps % 2 } else { self.datanet() };
        let mut contributions: Vec<u64> = (1..)
            .zip(&self.facts.contributions)
            .filter(|(_, contribution)| contribution.datanet == datanet && contribution.since == 0)
            .map(|(number, _)| number)
            .take(1 + self.rng.clone().below(6) as usize)
            .collect();
        if self.odd(1) {
            contributions.push(self.contribution());
        }
        if self.rng.one_in(3) {
            contributions.reverse();
        }
        if self.odd(8) {
            contributions = vec![1; 257];
        }
        let note = Note::Published(datanet, contributions.clone());
        let curator = self.curator_of(datanet);
        let call = publishVersionCall {
            datanet,
            contributions,
            clusterRoot: self.word(),
            clusters: self.rng.below(100) as u32,
        };
        Planned::datanets(curator, &call).noted(note)
    }

    // ── Owners ─────────────────────────────────────────────────────────────────────────────────────────────────────

    fn transfer_contribution(&mut self) -> Planned {
        let contribution = self.contribution();
        let (from, to, by) = (self.title_of(contribution), self.address(), self.mostly(CONTRIBUTION_TOKEN));
        let call = transferContributionCall { from, to, contribution };
        Planned::datanets(by, &call).noted(Note::ContributionMoved(contribution, to))
    }

    fn transfer_share(&mut self) -> Planned {
        let contribution = self.contribution();
        let owners =
            self.facts.contribution(contribution).map(|known| known.owners.clone()).unwrap_or_default();
        let from = if owners.is_empty() { self.who() } else { *self.rng.pick(&owners) };
        let (to, from) = (self.address(), self.mostly(from));
        let bps = match self.rng.below(6) {
            0 => self.rng.below(10_001) as u16,
            1 if self.odd(1) => u16::MAX,
            2 => *self.rng.pick(&[0, 9_999, 10_000, 10_001]),
            _ => 1 + self.rng.below(500) as u16,
        };
        let note = Note::Shared(contribution, to);
        Planned::datanets(from, &transferShareCall { contribution, to, bps }).noted(note)
    }

    // ── Near-duplicates ────────────────────────────────────────────────────────────────────────────────────────────

    fn row_of(&mut self, contribution: u64) -> RowRef {
        let rows = self.facts.contribution(contribution).map_or(1, |known| known.rows);
        RowRef { contribution, row: self.row(rows) }
    }

    fn record_cluster(&mut self) -> Planned {
        let (first, _) = self.contributed();
        let (later, datanet) = self.contributed();
        let canonical = self.row_of(first);
        let count = if self.odd(1) { *self.rng.pick(&[0, 32, 33]) } else { 1 + self.rng.below(4) };
        let copies = (0..count)
            .map(|_| {
                let other = if self.rng.one_in(8) { self.contribution() } else { later };
                self.row_of(other)
            })
            .collect();
        let curator = self.curator_of(datanet);
        let call = recordClusterCall { datanet, canonical, copies, evidence: self.word() };
        Planned::datanets(curator, &call).noted(Note::Cluster(datanet))
    }

    fn challenge_cluster(&mut self) -> Planned {
        let (who, cluster) = (self.who(), self.number(self.facts.clusters.len()));
        let deposit = self.deposit();
        Planned::datanets(who, &challengeClusterCall { cluster, evidence: self.word() }).paying(deposit)
    }

    fn resolve_cluster(&mut self) -> Planned {
        let cluster = self.number(self.facts.clusters.len());
        let place = (cluster as usize).wrapping_sub(1);
        let datanet = self.facts.clusters.get(place).copied().unwrap_or(1);
        let owner = self.owner_of(datanet);
        Planned::datanets(owner, &resolveClusterCall { cluster, upheld: self.rng.one_in(2) })
    }

    // ── Licences ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn grant(&mut self) -> Planned {
        let contribution = self.contribution();
        let (title, grantee) = (self.title_of(contribution), self.address());
        let terms =
            Grant { uses: self.uses(), purposes: self.bits(), regions: self.bits(), until: self.soon() };
        let call = grantCall { contribution, grantee, terms };
        Planned::datanets(title, &call).noted(Note::Granted(contribution, grantee))
    }

    fn buy_grant(&mut self) -> Planned {
        let sold: Vec<u64> = (1..)
            .zip(&self.facts.contributions)
            .filter(|(_, contribution)| contribution.fee > 0)
            .map(|(number, _)| number)
            .collect();
        let contribution =
            if sold.is_empty() || self.odd(1) { self.contribution() } else { *self.rng.pick(&sold) };
        let fee = self.facts.contribution(contribution).map_or(0, |known| known.fee);
        let value = if self.odd(1) { self.wei() } else { U256::from(fee) };
        let who = self.who();
        let note = Note::Granted(contribution, who);
        Planned::datanets(who, &buyGrantCall { contribution }).paying(value).noted(note)
    }

    fn revoke_grant(&mut self) -> Planned {
        let (mut contribution, mut grantee) = (self.contribution(), self.address());
        if !self.facts.grants.is_empty() && !self.odd(1) {
            (contribution, grantee) = *self.rng.pick(&self.facts.grants);
        }
        let model = if self.rng.one_in(2) { 0 } else { self.model() };
        let call =
            revokeGrantCall { contribution, grantee, model, purposes: self.bits(), lastValid: self.second() };
        let title = self.title_of(contribution);
        Planned::datanets(title, &call)
    }

    fn withdraw_licence(&mut self) -> Planned {
        let contribution = self.contribution();
        let title = self.title_of(contribution);
        Planned::datanets(title, &withdrawLicenceCall { contribution, lastValid: self.second() })
    }
}
