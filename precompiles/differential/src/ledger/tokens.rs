//! Who may act on a token of the façades: its owner, whom the owner approved for it, and the owner's operators; told from
//! their events, and compared with what they keep.

use super::{Broken, Event, entry, expect};
use crate::Step;
use crate::side::Side;
use crate::world::PUPPET;
use alloy_primitives::{Address, Log, U256};
use alloy_sol_types::{SolEvent, sol};
use openledger_abi::IDatanets::IDatanetsEvents as D;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN};
use std::collections::{BTreeMap, BTreeSet};

sol! {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
}

/// A token of a façade.
type Token = (Address, U256);

#[derive(Debug, Default)]
pub(super) struct Tokens {
    approved: BTreeMap<Token, Address>,
    /// Façade, owner, operator.
    operators: BTreeSet<(Address, Address, Address)>,
    /// To whom tokens went in this step.
    moves: Vec<Address>,
    touched: BTreeSet<Token>,
    touched_operators: BTreeSet<(Address, Address, Address)>,
}

impl Tokens {
    /// Before the logs of a step.
    pub(super) fn begin(&mut self) {
        self.moves.clear();
    }

    /// Who calls a façade now: the step's sender until the first token arrives, and from then on its receiver.
    fn caller(&self, step: &Step) -> Result<Address, Broken> {
        let Some(receiver) = self.moves.last() else { return Ok(step.from) };
        expect("who is called back", *receiver, PUPPET)?;
        Ok(PUPPET)
    }

    fn acts_for(&self, facade: Address, owner: Address, who: Address) -> bool {
        who == owner || self.operators.contains(&(facade, owner, who))
    }

    /// A log of a façade; those of others are none of its business.
    pub(super) fn take(&mut self, step: &Step, log: &Log) -> Result<(), Broken> {
        let facade = log.address;
        if ![DATANET_TOKEN, CONTRIBUTION_TOKEN].contains(&facade) {
            return Ok(());
        }
        if let Ok(e) = Transfer::decode_log(log) {
            if !e.from.is_zero() {
                // Whoever was approved for the token was so by its former owner.
                self.approved.remove(&(facade, e.tokenId));
                self.touched.insert((facade, e.tokenId));
                self.moves.push(e.to);
            }
        } else if let Ok(e) = Approval::decode_log(log) {
            let who = self.caller(step)?;
            expect("who approves", self.acts_for(facade, e.owner, who), true)?;
            self.approved.insert((facade, e.tokenId), e.approved);
            self.touched.insert((facade, e.tokenId));
        } else if let Ok(e) = ApprovalForAll::decode_log(log) {
            expect("whose operator is set", e.owner, self.caller(step)?)?;
            let known = (facade, e.owner, e.operator);
            if e.approved {
                self.operators.insert(known)
            } else {
                self.operators.remove(&known)
            };
            self.touched_operators.insert(known);
        } else {
            return Err("an event that no façade declares".to_owned());
        }
        Ok(())
    }

    /// A transfer in the precompile, before the façade tells of it: by who may move the token.
    pub(super) fn moved(&self, step: &Step, event: &Event) -> Result<(), Broken> {
        let (facade, number, owner) = match event {
            Event::Datanets(D::DatanetTransferred(e)) => (DATANET_TOKEN, e.datanet, e.from),
            Event::Datanets(D::ContributionTransferred(e)) => (CONTRIBUTION_TOKEN, e.contribution, e.from),
            _ => return Ok(()),
        };
        // Nobody calls as a façade but its own code, except the steps that do.
        if step.from == facade {
            return Ok(());
        }
        let who = self.caller(step)?;
        // Where nobody is approved, the zero address is: no transaction comes from it, but calls that are only tried may.
        let approved = self.approved.get(&(facade, U256::from(number))).copied().unwrap_or_default() == who;
        expect("who moves a token", approved || self.acts_for(facade, owner, who), true)
    }

    /// The façades keep of the step's tokens what their events say.
    pub(super) fn check(&mut self, side: &mut Side) -> Result<(), Broken> {
        for token in std::mem::take(&mut self.touched) {
            let kept = side.slot(token.0, entry(token.1.into(), U256::ZERO));
            let approved = self.approved.get(&token).copied().unwrap_or_default();
            expect("getApproved", Address::from_word(kept.into()), approved)?;
        }
        for known in std::mem::take(&mut self.touched_operators) {
            let (facade, owner, operator) = known;
            let of_owner = entry(owner.into_word(), U256::ONE);
            let kept = side.slot(facade, entry(operator.into_word(), of_owner));
            expect("isApprovedForAll", kept == U256::ONE, self.operators.contains(&known))?;
        }
        Ok(())
    }
}
