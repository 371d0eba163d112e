//! Sequences with a theme: after the common beginning they bring about what random steps seldom do.

use super::facts::{Commitment, Note};
use super::{PROLOGUE, Planned, Planner};
use crate::world::PEOPLE;
use openledger_abi::IAttribution::{DatasetRef, ModelExtras, registerModelWithCall};
use openledger_abi::IDatanets::*;
use openledger_shares::contribution_commitment;

/// What a sequence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    /// Nothing in particular.
    None,
    /// More licences are withdrawn than a settlement looks at.
    Withdrawals,
    /// Datanets derived from one another, and models composed of one another, deeper than may be.
    Depth,
    /// More models rely on a grant than may.
    Grants,
    /// The court tries case after case.
    Trials,
}

impl Theme {
    pub(super) const fn of(seed: u64) -> Self {
        match seed % 16 {
            3 => Self::Withdrawals,
            7 => Self::Depth,
            11 => Self::Grants,
            5 | 13 => Self::Trials,
            _ => Self::None,
        }
    }

    /// How many steps it takes after the beginning.
    pub(super) const fn steps(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Withdrawals => 122,
            Self::Depth => 52,
            Self::Grants => 40,
            Self::Trials => 103,
        }
    }
}

const HERO: alloy_primitives::Address = PEOPLE[0];

impl Planner {
    /// A step of the theme, while it lasts.
    pub(super) fn themed(&mut self) -> Option<Planned> {
        let place = self.steps.checked_sub(PROLOGUE).filter(|place| *place < self.theme.steps())?;
        match self.theme {
            Theme::None => None,
            Theme::Withdrawals => Some(self.withdrawals(place)),
            Theme::Depth => Some(self.depth(place)),
            Theme::Grants => Some(self.grants(place)),
            Theme::Trials => Some(self.trials(place)),
        }
    }

    fn latest(&self) -> (u64, u32) {
        let number = self.facts.datanets.len() as u64;
        (number, self.facts.datanet(number).map_or(0, |datanet| datanet.versions))
    }

    fn hero_creates(&mut self, parents: Vec<DatanetVersion>) -> Planned {
        let call = createDatanetWithCall {
            schemaHash: self.word(),
            domain: "deep".to_owned(),
            metadataURI: String::new(),
            rules: Rules { revocableAllowed: true, ..Rules::default() },
            parents,
        };
        Planned::datanets(HERO, &call).noted(Note::Datanet(HERO))
    }

    fn hero_commits(&mut self, datanet: u64) -> Planned {
        let (root, salt) = (self.rng.word(), self.rng.word());
        let hash = contribution_commitment(crate::world::CHAIN, datanet, HERO, root, salt);
        let note = Note::Committed(Commitment { owner: HERO, datanet, root, salt, hash });
        let deposit = crate::world::DEPOSIT;
        Planned::datanets(HERO, &commitCall { commitment: hash })
            .paying(alloy_primitives::U256::from(deposit))
            .noted(note)
    }

    fn hero_reveals(&mut self, terms: Terms) -> Planned {
        let Some(c) = self.facts.commitments.last().cloned() else { return self.commit() };
        let note = self.revealed(&c, 3, 0, &[]);
        let Commitment { datanet, root, salt, .. } = c;
        let call = revealWithCall { datanet, root, salt, rows: 3, terms, coOwners: Vec::new() };
        Planned::datanets(HERO, &call).noted(note)
    }

    fn hero_publishes(&mut self, datanet: u64) -> Planned {
        let contributions: Vec<u64> = (1..)
            .zip(&self.facts.contributions)
            .filter(|(_, known)| known.datanet == datanet && known.since == 0)
            .map(|(number, _)| number)
            .collect();
        let note = Note::Published(datanet, contributions.clone());
        let call = publishVersionCall { datanet, contributions, clusterRoot: self.word(), clusters: 1 };
        Planned::datanets(HERO, &call).noted(note)
    }

    fn hero_registers(&mut self, datanet: u64, version: u32, parents: Vec<u64>) -> Planned {
        let mut spec = self.spec();
        spec.datasets = vec![DatasetRef { datanet, version }];
        let note = self.known(HERO, &spec);
        let extras = ModelExtras { parents, ..ModelExtras::default() };
        Planned::attribution(HERO, &registerModelWithCall { spec, extras }).noted(note)
    }

    fn withdrawals(&mut self, place: u64) -> Planned {
        let (datanet, version) = self.latest();
        let revocable = Terms { uses: 15, revocable: true, ..Terms::default() };
        match place {
            0 => self.hero_creates(Vec::new()),
            1..71 if place % 2 == 1 => self.hero_commits(datanet),
            1..71 => self.hero_reveals(revocable),
            71 => self.hero_publishes(datanet),
            72 => self.hero_registers(datanet, version, Vec::new()),
            73..78 => self.bond(),
            78..82 => self.request_of(self.facts.models.len() as u64),
            82..117 => {
                let contribution = self.facts.contributions.len() as u64 - (place - 82);
                let call = withdrawLicenceCall { contribution, lastValid: self.now + 500 };
                Planned::datanets(HERO, &call)
            }
            117 => self.request_of(self.facts.models.len() as u64),
            118 => self.settle(),
            119 => self.refresh_of(self.facts.models.len() as u64),
            _ => self.settle(),
        }
    }

    fn depth(&mut self, place: u64) -> Planned {
        let (datanet, version) = self.latest();
        match (place, place % 4) {
            (0, _) => self.hero_creates(Vec::new()),
            (40.., _) => {
                let parents = if place == 40 { Vec::new() } else { vec![self.facts.models.len() as u64] };
                let (datanet, version) = if version == 0 { (datanet - 1, 1) } else { (datanet, version) };
                self.hero_registers(datanet, version, parents)
            }
            (_, 1) => self.hero_commits(datanet),
            (_, 2) => self.hero_reveals(Terms { uses: 15, ..Terms::default() }),
            (_, 3) => self.hero_publishes(datanet),
            _ => self.hero_creates(vec![DatanetVersion { datanet, version }]),
        }
    }

    fn grants(&mut self, place: u64) -> Planned {
        let (datanet, version) = self.latest();
        let contribution = self.facts.contributions.len() as u64;
        match place {
            0 => self.hero_creates(Vec::new()),
            1 => self.hero_commits(datanet),
            2 => self.hero_reveals(Terms { uses: 15, purposes: 2, ..Terms::default() }),
            3 => self.hero_publishes(datanet),
            4 => {
                // Now and then it ends while models are being registered.
                let until = if self.rng.one_in(2) { self.now + 40 } else { 0 };
                let terms = Grant { uses: 15, purposes: 0, regions: 0, until };
                let call = grantCall { contribution, grantee: HERO, terms };
                Planned::datanets(HERO, &call).noted(Note::Granted(contribution, HERO))
            }
            39 => {
                let last = self.now + self.rng.below(300);
                let call =
                    revokeGrantCall { contribution, grantee: HERO, model: 0, purposes: 0, lastValid: last };
                Planned::datanets(HERO, &call)
            }
            _ => self.hero_registers(datanet, version, Vec::new()),
        }
    }
}
