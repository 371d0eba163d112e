//! Calls of Payouts that succeed.

use super::Case;
use crate::world::signing::{Claim, Voucher, sign, signer};
use crate::world::*;
use alloy_primitives::{Address, B256, U256};
use openledger_abi::CLAIM_ROUTER;
use openledger_abi::IAttribution::{Tail, settleTailCall, tailOfCall};
use openledger_abi::IPayouts::*;
use openledger_shares::{TailLeaf, tail_leaf};

pub fn cases() -> Vec<Case> {
    let w = World::with_model();
    let mut asked = w.clone();
    let id = asked.request(1_000_000, 1).unwrap();
    let mut late = asked.clone();
    late.advance(1_000);
    let mut settled = asked.clone();
    settled.settle(good(id)).unwrap();
    let ask = requestCall { model: 1, promptHash: B256::repeat_byte(2), deadline: w.state.time + 600 };
    vec![
        Case::new(&w, BOB, 0, &deadlineBoundsCall {}),
        Case::new(&w, BOB, 0, &platformCall {}),
        Case::new(&asked, BOB, 0, &requestOfCall { requestId: id }),
        Case::new(&w, BOB, 0, &quoteCall { model: 1, tokensIn: 5, tokensOut: 9 }),
        Case::new(&settled, BOB, 0, &creditOfCall { account: PLATFORM }),
        Case::new(&w, PAYER, 5_000, &ask),
        Case::new(&late, BOB, 0, &refundCall { requestId: id }),
        Case::new(&settled, MODELLER, 0, &claimCall {}),
        Case::new(&settled, BOB, 0, &claimForCall { account: PLATFORM }),
        Case::new(&settled, CLAIM_ROUTER, 0, &claimToCall { account: PLATFORM, to: BOB }),
        Case::new(&settled, BOB, 0, &accruedOfCall { contribution: 1 }),
        Case::new(&settled, BOB, 0, &drawCall { contributions: vec![1, 2] }),
        Case::new(&settled, ALICE, 0, &drawAndClaimCall { contributions: vec![1] }),
        Case::new(&w, BOB, 0, &noncesCall { account: ALICE }),
        Case::new(&w, BOB, 0, &DOMAIN_SEPARATORCall {}),
    ]
    .into_iter()
    .chain(channels(&w))
    .chain(streams(&w))
    .chain(tails(&asked, id))
    .collect()
}

/// A tail of one leaf.
fn tails(asked: &World, id: B256) -> Vec<Case> {
    let (contribution, leaves) = (1, 1);
    let settle = |w: &mut World, root| {
        let receipt = receipt(id, 0, vec![share(1, 0, 400_000)]);
        w.call(MODELLER, 0, settleTailCall { receipt, tail: Tail { root, ppm: 600_000, leaves } }).unwrap();
    };
    let mut trial = asked.clone();
    settle(&mut trial, B256::repeat_byte(1));
    let amount = trial.call(BOB, 0, tailOfCall { requestId: id }).unwrap().amount;
    let root = tail_leaf(0, &TailLeaf { contribution, amount }).hash;
    let mut settled = asked.clone();
    settle(&mut settled, root);
    let leaf = TailClaim { index: 0, contribution, amount, siblings: vec![], sums: vec![] };
    vec![
        Case::new(&settled, BOB, 0, &claimTailCall { requestId: id, leaf }),
        Case::new(&settled, BOB, 0, &isTailClaimedCall { requestId: id, index: 0 }),
    ]
}

fn channels(w: &World) -> Vec<Case> {
    let (mut opened, expiry) = (w.clone(), w.state.time + 4_000);
    let open = openChannelCall { provider: BOB, signer: signer(), expiry, salt: B256::ZERO };
    let channel = opened.call(PAYER, 900, open.clone()).unwrap();
    let cumulative = U256::from(7);
    let signature = sign(&Voucher { channel, cumulative });
    vec![
        Case::new(w, PAYER, 5, &open),
        Case::new(&opened, PAYER, 5, &fundChannelCall { channel, expiry: expiry + 1 }),
        Case::new(&opened, BOB, 0, &redeemVoucherCall { channel, cumulative, signature }),
        Case::new(&opened, BOB, 0, &closeChannelCall { channel }),
        Case::new(&opened, ALICE, 0, &channelOfCall { channel }),
    ]
}

/// Streams, and the claim by signature of what came from one.
fn streams(w: &World) -> Vec<Case> {
    let mut opened = w.clone();
    let open = openStreamCall { to: signer(), weiPerSecond: 10, start: 0, salt: B256::ZERO };
    let stream = opened.call(PAYER, 900, open.clone()).unwrap();
    opened.advance(10);
    let mut drawn = opened.clone();
    drawn.call(BOB, 0, drawStreamCall { stream }).unwrap();
    let (account, to, deadline) = (signer(), Address::repeat_byte(0x66), drawn.state.time);
    let message = Claim { account, to, nonce: U256::ZERO, deadline: U256::from(deadline) };
    let claim = claimBySignatureCall { account, to, deadline, signature: sign(&message) };
    vec![
        Case::new(w, PAYER, 5, &open),
        Case::new(&opened, BOB, 5, &fundStreamCall { stream }),
        Case::new(&opened, BOB, 0, &drawStreamCall { stream }),
        Case::new(&opened, PAYER, 0, &closeStreamCall { stream }),
        Case::new(&opened, BOB, 0, &streamOfCall { stream }),
        Case::new(&drawn, BOB, 0, &claim),
    ]
}
