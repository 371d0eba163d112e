//! Who owns what, changed by nobody else; shares that sum to the whole; no payment for what is erased or forbidden.

use super::{Broken, Event, Held, expect};
use crate::Step;
use crate::world::PUPPET;
use alloy_primitives::{Address, B256};
use openledger_abi::IAttribution::IAttributionEvents as A;
use openledger_abi::IDatanets::{ContributionStatus, Grant, IDatanetsEvents as D, OwnerShare};
use openledger_abi::IPayouts::IPayoutsEvents as P;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN, licence};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Contribution {
    title: Address,
    owners: Vec<OwnerShare>,
    uses: u16,
    fee: u128,
    expiry: u64,
    withdrawn_after: Option<u64>,
    erased: bool,
    priority: u64,
}

#[derive(Debug, Default)]
pub(super) struct Rights {
    datanets: BTreeMap<u64, Address>,
    contributions: BTreeMap<u64, Contribution>,
    commitments: BTreeMap<u64, Address>,
    /// Every end that a grant to an account ever had.
    grants: BTreeMap<Held, Vec<Grant>>,
    models: BTreeMap<u64, Address>,
    closed: BTreeSet<B256>,
}

/// Whether an account calls the three in a step: its sender, or the façades and the receiver behind a transfer of tokens.
fn calls(step: &Step, account: Address) -> bool {
    let facades = [DATANET_TOKEN, CONTRIBUTION_TOKEN];
    account == step.from || facades.contains(&step.to) && (facades.contains(&account) || account == PUPPET)
}

impl Rights {
    pub(super) fn take(&mut self, step: &Step, now: u64, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Datanets(event) => self.of_datanets(step, now, event),
            Event::Attribution(A::ModelRegistered(e)) => {
                expect("a model's owner", calls(step, e.owner), true)?;
                self.models.insert(e.model, e.owner);
                Ok(())
            }
            Event::Payouts(P::Settled(e)) => self.close(e.requestId),
            Event::Payouts(P::Refunded(e)) => self.close(e.requestId),
            _ => Ok(()),
        }
    }

    /// A request is settled or refunded, and that once.
    fn close(&mut self, id: B256) -> Result<(), Broken> {
        if self.closed.insert(id) { Ok(()) } else { Err(format!("{id} closed twice")) }
    }

    fn known(&mut self, contribution: u64) -> Result<&mut Contribution, Broken> {
        self.contributions
            .get_mut(&contribution)
            .ok_or_else(|| format!("unknown contribution {contribution}"))
    }

    fn of_datanets(&mut self, step: &Step, now: u64, event: &D) -> Result<(), Broken> {
        match event {
            D::DatanetCreated(e) => {
                expect("a Datanet's owner", calls(step, e.owner), true)?;
                expect("a Datanet's number", self.datanets.insert(e.datanet, e.owner), None)?;
            }
            D::DatanetTransferred(e) => {
                expect("who transfers Datanets", calls(step, DATANET_TOKEN), true)?;
                expect("whose Datanet moved", self.datanets.insert(e.datanet, e.to), Some(e.from))?;
            }
            D::Committed(e) => {
                expect("a commitment's owner", calls(step, e.owner), true)?;
                expect("a place in the order", self.commitments.insert(e.priority, e.owner), None)?;
                let later = self.commitments.last_key_value().map(|(last, _)| *last);
                expect("a commitment's place", later, Some(e.priority))?;
            }
            D::Revealed(e) => {
                expect("who reveals", calls(step, e.owner), true)?;
                // Whoever committed has the place, and nobody reveals on it twice.
                expect("whose place is revealed", self.commitments.get(&e.priority), Some(&e.owner))?;
                let twice = self.contributions.values().any(|known| known.priority == e.priority);
                expect("a place revealed twice", twice, false)?;
                let known = Contribution {
                    title: e.owner,
                    owners: vec![OwnerShare { account: e.owner, bps: 10_000 }],
                    uses: e.licence,
                    fee: 0,
                    expiry: e.expiry,
                    withdrawn_after: None,
                    erased: false,
                    priority: e.priority,
                };
                self.contributions.insert(e.contribution, known);
            }
            D::TermsSet(e) => self.known(e.contribution)?.fee = e.terms.fee,
            D::ContributionTransferred(e) => {
                expect("who transfers contributions", calls(step, CONTRIBUTION_TOKEN), true)?;
                let known = self.known(e.contribution)?;
                expect("whose contribution moved", known.title, e.from)?;
                known.title = e.to;
            }
            D::OwnersSet(e) => self.owners_set(step, e.contribution, e.set, &e.owners)?,
            D::StatusSet(e) => {
                let known = self.known(e.contribution)?;
                expect("change of what is erased", known.erased, false)?;
                known.erased = e.status == ContributionStatus::Tombstoned;
            }
            D::LicenceWithdrawn(e) => {
                let known = self.known(e.contribution)?;
                expect("who withdraws a licence", calls(step, known.title), true)?;
                known.withdrawn_after = Some(e.lastValid);
            }
            D::Granted(e) => {
                let known = self.known(e.contribution)?;
                let sold = calls(step, e.grantee) && e.paid == alloy_primitives::U256::from(known.fee);
                if !(calls(step, known.title) || sold && known.fee > 0) {
                    return Err(format!("{} granted what is not its own", step.from));
                }
                let grants = self.grants.entry((e.contribution, e.grantee)).or_default();
                grants.push(e.terms.clone());
            }
            D::GrantRevoked(e) => {
                let title = self.known(e.contribution)?.title;
                expect("who revokes", calls(step, title), true)?;
                if e.lastValid < now - 1 {
                    return Err("a grant revoked for the past".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Shares sum to the whole, and nobody loses who did not give.
    fn owners_set(
        &mut self,
        step: &Step,
        contribution: u64,
        set: u32,
        owners: &[OwnerShare],
    ) -> Result<(), Broken> {
        let known = self.known(contribution)?;
        let sum: u32 = owners.iter().map(|owner| u32::from(owner.bps)).sum();
        expect("owners' shares", sum, 10_000)?;
        let title = owners.first().map(|owner| owner.account);
        expect("the first owner", title, Some(known.title))?;
        let held = |all: &[OwnerShare], account: Address| -> u16 {
            all.iter().filter(|owner| owner.account == account).map(|owner| owner.bps).sum()
        };
        let old = std::mem::replace(&mut known.owners, owners.to_vec());
        let before = old.first().map_or(step.from, |title| title.account);
        // Where the title moved, its holder gave; else whoever calls.
        let gave = |owner| if before == known.title { calls(step, owner) } else { owner == before };
        for owner in &old {
            let lost = held(owners, owner.account) < owner.bps;
            if set > 0 && lost && !gave(owner.account) {
                return Err(format!("{} lost a share that it did not give", owner.account));
            }
        }
        Ok(())
    }

    /// What a receipt pays is neither erased nor forbidden now.
    pub(super) fn settle(&self, now: u64, events: &[Event]) -> Result<(), Broken> {
        for event in events {
            let Event::Attribution(A::ReceiptSettled(e)) = event else { continue };
            let owner = self.models.get(&e.model).copied().unwrap_or_default();
            for share in &e.shares {
                let Some(known) = self.contributions.get(&share.contribution) else {
                    return Err(format!("unknown contribution {} was paid", share.contribution));
                };
                if known.erased {
                    return Err(format!("erased contribution {} was paid", share.contribution));
                }
                let holds = |until: u64| until == 0 || now <= until;
                let open = known.uses & licence::SERVE != 0
                    && known.fee == 0
                    && holds(known.expiry)
                    && known.withdrawn_after.is_none_or(|last| now <= last);
                let grants = self.grants.get(&(share.contribution, owner)).map_or(&[][..], Vec::as_slice);
                let granted =
                    grants.iter().any(|grant| grant.uses & licence::SERVE != 0 && holds(grant.until));
                if !open && !granted {
                    return Err(format!("forbidden contribution {} was paid", share.contribution));
                }
            }
        }
        Ok(())
    }
}
