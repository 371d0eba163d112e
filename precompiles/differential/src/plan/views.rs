//! Steps that only read.

use super::{Planned, Planner};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IAttribution as A;
use openledger_abi::IDatanets as D;
use openledger_abi::IPayouts as P;
use openledger_abi::{ATTRIBUTION, DATANETS};

impl Planner {
    pub(super) fn any_view(&mut self) -> Planned {
        let (who, of) = (self.who(), *self.rng.pick(&crate::world::CONTRACTS));
        self.view_of(of, who)
    }

    pub(super) fn view_of(&mut self, contract: Address, who: Address) -> Planned {
        match contract {
            DATANETS => self.view_of_datanets(who),
            ATTRIBUTION => self.view_of_attribution(who),
            _ => self.view_of_payouts(who),
        }
    }

    fn view_of_datanets(&mut self, who: Address) -> Planned {
        let (datanet, contribution, account) = (self.datanet(), self.contribution(), self.address());
        let rows = self.facts.contribution(contribution).map_or(1, |known| known.rows);
        match self.rng.below(32) {
            0 => Planned::datanets(who, &D::commitDepositCall {}),
            1 => Planned::datanets(who, &D::revealWindowCall {}),
            2 => Planned::datanets(who, &D::datanetCountCall {}),
            3 => Planned::datanets(who, &D::contributionCountCall {}),
            4 => Planned::datanets(who, &D::clusterCountCall {}),
            5 => Planned::datanets(who, &D::isCuratorCall { datanet, account }),
            6 => Planned::datanets(who, &D::isModeratorCall { datanet, account }),
            7 => Planned::datanets(who, &D::datanetOfCall { datanet }),
            8 => Planned::datanets(who, &D::rulesOfCall { datanet }),
            9 => Planned::datanets(who, &D::ancestorsOfCall { datanet }),
            10 => Planned::datanets(who, &D::contributionOfCall { contribution }),
            11 => Planned::datanets(who, &D::termsOfCall { contribution }),
            12 => Planned::datanets(who, &D::endOfCall { contribution }),
            13 => Planned::datanets(who, &D::ownersOfCall { contribution }),
            14 => {
                let receipt = self.rng.below(self.facts.settled.len() as u64 + 2);
                Planned::datanets(who, &D::ownersAtCall { contribution, receipt })
            }
            15 => Planned::datanets(who, &D::versionOfCall { datanet, version: self.version_of(datanet) }),
            16 => Planned::datanets(who, &D::datanetBalanceOfCall { owner: account }),
            17 => Planned::datanets(who, &D::contributionBalanceOfCall { owner: account }),
            18 | 19 => Planned::datanets(who, &D::canonicalOfCall { contribution, row: self.row(rows) }),
            20 => {
                Planned::datanets(who, &D::clusterOfCall { cluster: self.number(self.facts.clusters.len()) })
            }
            21 | 22 => {
                let known = !self.facts.grants.is_empty();
                let (contribution, grantee) =
                    if known { *self.rng.pick(&self.facts.grants) } else { (contribution, account) };
                Planned::datanets(who, &D::grantOfCall { contribution, grantee })
            }
            23 => {
                let call = D::commitmentOfCall { owner: account, commitment: self.word() };
                Planned::datanets(who, &call)
            }
            24 => match self.rng.below(11) {
                0 => Planned::datanets(who, &D::LICENCE_TRAINCall {}),
                1 => Planned::datanets(who, &D::LICENCE_SERVECall {}),
                2 => Planned::datanets(who, &D::LICENCE_RESELLCall {}),
                3 => Planned::datanets(who, &D::LICENCE_DERIVECall {}),
                4 => Planned::datanets(who, &D::PURPOSE_COMMERCIALCall {}),
                5 => Planned::datanets(who, &D::PURPOSE_RESEARCHCall {}),
                6 => Planned::datanets(who, &D::PURPOSE_EDUCATIONCall {}),
                7 => Planned::datanets(who, &D::PURPOSE_PUBLIC_SECTORCall {}),
                8 => Planned::datanets(who, &D::PURPOSE_MEDICALCall {}),
                9 => Planned::datanets(who, &D::PURPOSE_PERSONALCall {}),
                _ => Planned::datanets(who, &D::MAX_ROWSCall {}),
            },
            _ => {
                let granted = self.facts.grants.last().copied().filter(|_| !self.rng.one_in(3));
                let (contribution, account) = granted.unwrap_or((contribution, account));
                let call = D::permitsCall {
                    contribution,
                    account,
                    r#use: *self.rng.pick(&[1, 2, 4, 8, 3]),
                    purposes: self.bits(),
                    regions: self.bits(),
                    shareAlike: self.rng.one_in(2),
                };
                Planned::datanets(who, &call)
            }
        }
    }

    fn receipt_id(&mut self) -> B256 {
        if self.facts.settled.is_empty() || self.odd(1) {
            return self.word();
        }
        self.rng.pick(&self.facts.settled).id
    }

    fn view_of_attribution(&mut self, who: Address) -> Planned {
        let (model, account, id) = (self.model(), self.address(), self.receipt_id());
        let (offset, limit) = (U256::from(self.rng.below(4)), U256::from(self.rng.below(300)));
        let limit = if self.odd(1) { U256::MAX } else { limit };
        let offset = if self.odd(1) { U256::MAX } else { offset };
        match self.rng.below(16) {
            0 => Planned::attribution(who, &A::MAX_INLINE_SHARESCall {}),
            1 => Planned::attribution(who, &A::MAX_TAIL_LEAVESCall {}),
            2 => Planned::attribution(who, &A::challengeWindowCall {}),
            3 => Planned::attribution(who, &A::modelCountCall {}),
            4 => Planned::attribution(who, &A::receiptCountCall {}),
            5 => Planned::attribution(who, &A::modelOfCall { model }),
            6 => Planned::attribution(who, &A::isAttestorCall { model, account }),
            7 => Planned::attribution(who, &A::standingOfCall { model }),
            8 => Planned::attribution(who, &A::faithfulnessOfCall { model }),
            9 => Planned::attribution(who, &A::bondOfCall { attestor: account }),
            10 => Planned::attribution(who, &A::receiptOfCall { requestId: id }),
            11 => Planned::attribution(who, &A::lineageOfCall { requestId: id, offset, limit }),
            12 => Planned::attribution(who, &A::tailOfCall { requestId: id }),
            13 => Planned::attribution(who, &A::receiptsOfModelCall { model, offset, limit }),
            14 => Planned::attribution(who, &A::challengeOfCall { requestId: id }),
            _ => {
                let (contribution, before) = (self.contribution(), self.rng.below(6));
                Planned::attribution(who, &A::historyOfCall { contribution, model, before, limit })
            }
        }
    }

    fn view_of_payouts(&mut self, who: Address) -> Planned {
        let (model, account, contribution) = (self.model(), self.address(), self.contribution());
        match self.rng.below(11) {
            0 => Planned::payouts(who, &P::deadlineBoundsCall {}),
            1 => Planned::payouts(who, &P::platformCall {}),
            2 => {
                let requests = self.facts.requests.len() as u64;
                let place = self.rng.below(requests) as usize;
                let id = self.facts.requests.get(place).map_or(B256::ZERO, |request| request.id);
                Planned::payouts(who, &P::requestOfCall { requestId: id })
            }
            3 => {
                let (tokens_in, tokens_out) = (self.rng.next() as u32, self.rng.below(9) as u32);
                Planned::payouts(who, &P::quoteCall { model, tokensIn: tokens_in, tokensOut: tokens_out })
            }
            4 => Planned::payouts(who, &P::creditOfCall { account }),
            5 => Planned::payouts(who, &P::accruedOfCall { contribution }),
            6 => {
                let call =
                    P::isTailClaimedCall { requestId: self.receipt_id(), index: self.rng.below(10) as u32 };
                Planned::payouts(who, &call)
            }
            7 => Planned::payouts(who, &P::noncesCall { account }),
            8 => Planned::payouts(who, &P::DOMAIN_SEPARATORCall {}),
            9 => {
                let id = self.facts.channels.last().map_or(B256::ZERO, |channel| channel.id);
                Planned::payouts(who, &P::channelOfCall { channel: id })
            }
            _ => {
                let id = self.facts.streams.last().map_or(B256::ZERO, |stream| stream.id);
                Planned::payouts(who, &P::streamOfCall { stream: id })
            }
        }
    }
}
