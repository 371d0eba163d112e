//! Lies of an attestor: receipts made by hand with its key, beside a service that computes right ones.

use alloy_primitives::{B256, U256, keccak256};
use openledger_abi::{ATTRIBUTION, IAttribution};

use crate::{
    Call, DevnetError, Wallet,
    story::{attributor::Prepared, play::failed, player::Player},
};

/// Enough for any settlement here: what is sent before the bond is back cannot be estimated.
const SETTLE_GAS: u64 = 3_000_000;
const WHOLE_PPM: u32 = 1_000_000;

impl Player<'_> {
    /// Settles a request with the highest share given to another contribution. The service computes the right receipt
    /// and cannot settle it first, for the attestor's bond is away meanwhile.
    pub(super) async fn settle_swapped(
        &self,
        attestor: &Wallet,
        request_id: B256,
        hand_over: impl Future<Output = Result<(), DevnetError>>,
    ) -> Result<(), DevnetError> {
        let bond = IAttribution::bondOfCall { attestor: attestor.address() };
        let bond = attestor.view(ATTRIBUTION, &bond).await?;
        let free = bond.total - bond.locked;
        let unbond = IAttribution::unbondCall { amount: free };
        attestor.send(Call::function("take the bond away", ATTRIBUTION, &unbond)).await?;
        hand_over.await?;
        let prepared = self.attributor.prepared(request_id).await?;
        let settle = IAttribution::settleCall { receipt: self.swapped(request_id, &prepared)? };
        let bond = Call::function("bond again", ATTRIBUTION, &IAttribution::bondCall {});
        let settle = Call::function("settle a lie", ATTRIBUTION, &settle);
        attestor
            .send_all(vec![
                bond.with_value(free).with_gas_limit(SETTLE_GAS),
                settle.with_gas_limit(SETTLE_GAS),
            ])
            .await?;
        Ok(())
    }

    fn swapped(&self, request_id: B256, prepared: &Prepared) -> Result<IAttribution::Receipt, DevnetError> {
        let mut shares = prepared.credits.clone();
        let victim = *shares
            .iter()
            .max_by_key(|share| share.ppm)
            .ok_or_else(|| failed("a question whose answer no row shaped cannot be lied about"))?;
        let others = self.contributions.values().flatten().copied();
        let favourite = others
            .filter(|&contribution| contribution != victim.contribution)
            .min()
            .ok_or_else(|| failed("a lie needs two contributions"))?;
        shares.retain(|share| *share != victim);
        match shares.iter_mut().find(|share| share.contribution == favourite) {
            Some(share) => share.ppm += victim.ppm,
            None => shares.push(crate::story::attributor::Credit { contribution: favourite, ..victim }),
        }
        shares.sort_unstable_by_key(|share| (share.contribution, share.row));
        let shares = shares.iter().map(|share| IAttribution::ClusterShare {
            contribution: share.contribution,
            row: share.row,
            ppm: share.ppm,
        });
        Ok(IAttribution::Receipt {
            requestId: request_id,
            answerHash: prepared.answer_hash.unwrap_or_default(),
            scoreRoot: prepared.score_root.unwrap_or_default(),
            tokensIn: prepared.tokens_in,
            tokensOut: prepared.tokens_out,
            unattributedPpm: prepared.unattributed_ppm,
            shares: shares.collect(),
        })
    }

    /// Settles a request with a receipt that is wholly made up: everything to the first contribution.
    pub(super) async fn settle_invented(
        &self,
        attestor: &Wallet,
        request_id: B256,
    ) -> Result<(), DevnetError> {
        let favourite = self.contributions.values().flatten().copied().min().unwrap_or(1);
        let receipt = IAttribution::Receipt {
            requestId: request_id,
            answerHash: keccak256("no answer"),
            scoreRoot: keccak256("no scores"),
            tokensIn: 20,
            tokensOut: 20,
            unattributedPpm: 0,
            shares: vec![IAttribution::ClusterShare { contribution: favourite, row: 0, ppm: WHOLE_PPM }],
        };
        let settle = IAttribution::settleCall { receipt };
        let call = Call::function("settle an invention", ATTRIBUTION, &settle).with_value(U256::ZERO);
        attestor.send(call).await.map(|_| ())
    }
}
