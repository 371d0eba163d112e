//! What a planner knows of the world: what its successful steps made. It may be out of date; then steps fail, which is
//! to be compared too.

use super::tail::TailTree;
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IAttribution::{ClusterShare, DatasetRef, Price, Split};

#[derive(Clone, Debug)]
pub(crate) struct Datanet {
    pub(crate) owner: Address,
    pub(crate) curators: Vec<Address>,
    pub(crate) versions: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Contribution {
    pub(crate) datanet: u64,
    pub(crate) title: Address,
    pub(crate) owners: Vec<Address>,
    pub(crate) rows: u32,
    pub(crate) since: u32,
    pub(crate) fee: u128,
}

#[derive(Clone, Debug)]
pub(crate) struct Commitment {
    pub(crate) owner: Address,
    pub(crate) datanet: u64,
    pub(crate) root: B256,
    pub(crate) salt: B256,
    pub(crate) hash: B256,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) owner: Address,
    pub(crate) attestors: Vec<Address>,
    pub(crate) datasets: Vec<DatasetRef>,
    pub(crate) price: Price,
    pub(crate) split: Split,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: B256,
    pub(crate) model: u64,
    pub(crate) max_fee: u128,
    pub(crate) open: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) id: B256,
    pub(crate) model: u64,
    pub(crate) shares: Vec<ClusterShare>,
    pub(crate) tail: TailTree,
    pub(crate) frozen: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: B256,
    pub(crate) payer: Address,
    pub(crate) provider: Address,
    pub(crate) signer: Address,
    pub(crate) expiry: u64,
    pub(crate) deposit: U256,
    pub(crate) redeemed: U256,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) id: B256,
    pub(crate) payer: Address,
}

/// All of it; Datanets, contributions and models stand at their number less one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) datanets: Vec<Datanet>,
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) commitments: Vec<Commitment>,
    /// Each one's Datanet.
    pub(crate) clusters: Vec<u64>,
    pub(crate) grants: Vec<(u64, Address)>,
    pub(crate) models: Vec<Model>,
    pub(crate) requests: Vec<Request>,
    pub(crate) settled: Vec<Settled>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) streams: Vec<Stream>,
    /// A façade, a token of it, and somebody whom its owner let act.
    pub(crate) approved: Vec<(Address, u64, Address)>,
    pub(crate) nonces: [u64; 3],
}

/// What a step makes if it succeeds.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    Nothing,
    Datanet(Address),
    DatanetMoved(u64, Address),
    Approved(Address, u64, Address),
    Curator(u64, Address),
    Committed(Commitment),
    Revealed(Box<Contribution>, B256),
    Forfeited(B256),
    Published(u64, Vec<u64>),
    ContributionMoved(u64, Address),
    Shared(u64, Address),
    Cluster(u64),
    Granted(u64, Address),
    Model(Box<Model>),
    Attestor(u64, Address),
    Requested(Request),
    Closed(B256),
    Settled(Box<Settled>),
    Frozen(B256),
    Channel(Box<Channel>),
    Funded(B256, U256, u64),
    Redeemed(B256, U256),
    Stream(Address),
    Signed(Address),
}

impl Facts {
    pub(crate) fn contribution(&self, number: u64) -> Option<&Contribution> {
        self.contributions.get((number as usize).wrapping_sub(1))
    }

    pub(crate) fn datanet(&self, number: u64) -> Option<&Datanet> {
        self.datanets.get((number as usize).wrapping_sub(1))
    }

    pub(crate) fn model(&self, number: u64) -> Option<&Model> {
        self.models.get((number as usize).wrapping_sub(1))
    }

    fn channel(&mut self, id: B256) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.id == id)
    }

    /// Takes in a step that succeeded and returned `output`.
    pub(crate) fn learn(&mut self, note: Note, output: &[u8]) {
        let id = || B256::try_from(output.get(..32).unwrap_or_default()).unwrap_or_default();
        let number = |number: u64| (number as usize).wrapping_sub(1);
        match note {
            Note::Nothing => {}
            Note::Datanet(owner) => self.datanets.push(Datanet { owner, curators: vec![owner], versions: 0 }),
            Note::DatanetMoved(datanet, to) => {
                if let Some(datanet) = self.datanets.get_mut(number(datanet)) {
                    datanet.owner = to;
                }
            }
            Note::Approved(token, number, who) => self.approved.push((token, number, who)),
            Note::Curator(datanet, curator) => {
                if let Some(datanet) = self.datanets.get_mut(number(datanet)) {
                    datanet.curators.push(curator);
                }
            }
            Note::Committed(commitment) => self.commitments.push(commitment),
            Note::Revealed(contribution, hash) => {
                self.contributions.push(*contribution);
                self.commitments.retain(|commitment| commitment.hash != hash);
            }
            Note::Forfeited(hash) => self.commitments.retain(|commitment| commitment.hash != hash),
            Note::Published(datanet, contributions) => {
                let Some(known) = self.datanets.get_mut(number(datanet)) else { return };
                known.versions += 1;
                for contribution in contributions {
                    if let Some(contribution) = self.contributions.get_mut(number(contribution)) {
                        contribution.since = known.versions;
                    }
                }
            }
            Note::ContributionMoved(contribution, to) => {
                if let Some(contribution) = self.contributions.get_mut(number(contribution)) {
                    contribution.title = to;
                    contribution.owners.push(to);
                }
            }
            Note::Shared(contribution, to) => {
                if let Some(contribution) = self.contributions.get_mut(number(contribution)) {
                    contribution.owners.push(to);
                }
            }
            Note::Cluster(datanet) => self.clusters.push(datanet),
            Note::Granted(contribution, grantee) => self.grants.push((contribution, grantee)),
            Note::Model(model) => self.models.push(*model),
            Note::Attestor(model, attestor) => {
                if let Some(model) = self.models.get_mut(number(model)) {
                    model.attestors.push(attestor);
                }
            }
            Note::Requested(request) => self.requests.push(Request { id: id(), ..request }),
            Note::Closed(id) => self.close(id),
            Note::Settled(settled) => {
                self.close(settled.id);
                self.settled.push(*settled);
            }
            Note::Frozen(id) => {
                self.settled.iter_mut().filter(|settled| settled.id == id).for_each(|s| s.frozen = true);
            }
            Note::Channel(channel) => self.channels.push(Channel { id: id(), ..*channel }),
            Note::Funded(id, value, expiry) => {
                if let Some(channel) = self.channel(id) {
                    channel.deposit += value;
                    channel.expiry = expiry;
                }
            }
            Note::Redeemed(id, redeemed) => {
                if let Some(channel) = self.channel(id) {
                    channel.redeemed = redeemed;
                }
            }
            Note::Stream(payer) => self.streams.push(Stream { id: id(), payer }),
            Note::Signed(account) => {
                let place = crate::world::signers().iter().position(|signer| *signer == account);
                if let Some(place) = place {
                    self.nonces[place] += 1;
                }
            }
        }
    }

    fn close(&mut self, id: B256) {
        self.requests.iter_mut().filter(|request| request.id == id).for_each(|request| request.open = false);
    }
}
