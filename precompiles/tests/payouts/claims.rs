//! Claims: by the account, for it, by its signature; and draws of what contributions have accrued.

use super::*;
use openledger_abi::CLAIM_ROUTER;

/// The account with a key is owed 500 wei.
fn owed() -> World {
    let mut w = World::new();
    let call = openStreamCall { to: signer(), weiPerSecond: 500, start: 0, salt: B256::ZERO };
    let stream = w.call(PAYER, 500, call).unwrap();
    w.state.time += 1;
    w.call(BOB, 0, drawStreamCall { stream }).unwrap();
    w
}

fn signed(w: &World, to: Address, nonce: u64) -> claimBySignatureCall {
    let (account, deadline) = (signer(), w.state.time + 10);
    let message = Claim { account, to, nonce: wei(nonce), deadline: wei(deadline) };
    claimBySignatureCall { account, to, deadline, signature: sign(&message) }
}

#[test]
fn claim_pays_once_and_for_others_only_to_them() {
    let mut w = owed();
    reverts(w.call(BOB, 0, claimCall {}), NothingToClaim { account: BOB });
    reverts(w.call(BOB, 0, claimToCall { account: signer(), to: BOB }), NotFacade { account: BOB });
    let nowhere = claimToCall { account: signer(), to: Address::ZERO };
    reverts(w.call(CLAIM_ROUTER, 0, nowhere), ZeroAddress {});
    assert_eq!(w.call(BOB, 0, claimForCall { account: signer() }).unwrap(), wei(500));
    assert_eq!((w.balance(signer()), w.balance(PAYOUTS)), (wei(500), wei(0)));
    reverts(w.call(BOB, 0, claimForCall { account: signer() }), NothingToClaim { account: signer() });
}

#[test]
fn signature_claims_once_where_it_says_until_it_expires() {
    let mut w = owed();
    let good = signed(&w, PROVIDER, 0);
    let bad = InvalidSignature { account: signer() };
    reverts(w.call(BOB, 0, claimBySignatureCall { to: BOB, ..good.clone() }), bad.clone());
    reverts(
        w.call(BOB, 0, claimBySignatureCall { deadline: good.deadline + 1, ..good.clone() }),
        bad.clone(),
    );
    let other = claimBySignatureCall { account: BOB, ..good.clone() };
    reverts(w.call(BOB, 0, other), InvalidSignature { account: BOB });
    let future = signed(&w, PROVIDER, 1);
    reverts(w.call(BOB, 0, future), bad.clone());
    let nowhere = signed(&w, Address::ZERO, 0);
    reverts(w.call(BOB, 0, nowhere), ZeroAddress {});
    let mut late = w.clone();
    late.state.time = good.deadline + 1;
    reverts(late.call(BOB, 0, good.clone()), SignatureExpired { deadline: good.deadline });
    assert_eq!(view(&mut w, noncesCall { account: signer() }), wei(0));
    assert_eq!(w.call(BOB, 0, good.clone()).unwrap(), wei(500));
    assert_eq!(w.balance(PROVIDER), wei(500));
    assert_eq!(view(&mut w, noncesCall { account: signer() }), wei(1));
    reverts(w.call(BOB, 0, good), bad);
    let second = signed(&w, PROVIDER, 1);
    reverts(w.call(BOB, 0, second), NothingToClaim { account: signer() });
    assert_eq!(view(&mut w, noncesCall { account: signer() }), wei(1));
}

#[test]
fn draws_are_bounded_and_of_contributions_that_exist() {
    let mut w = World::with_model();
    let many = drawCall { contributions: vec![1; 65] };
    reverts(w.call(BOB, 0, many), TooManyContributions { maximum: wei(64), given: wei(65) });
    for contribution in [9, (1 << 40) - 1, 1 << 40, u64::MAX] {
        let unknown = UnknownContribution { contribution };
        reverts(w.call(BOB, 0, drawCall { contributions: vec![1, contribution] }), unknown.clone());
        reverts(w.call(BOB, 0, accruedOfCall { contribution }), unknown);
    }
    assert_eq!(w.call(BOB, 0, drawCall { contributions: vec![1, 1, 2] }).unwrap(), wei(0));
    let nothing = drawAndClaimCall { contributions: vec![1] };
    reverts(w.call(PROVIDER, 0, nothing), NothingToClaim { account: PROVIDER });
}

#[test]
fn receipt_accrues_to_contributions_and_is_drawn_by_their_owners() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    let first = view(&mut w, accruedOfCall { contribution: 1 });
    let second = view(&mut w, accruedOfCall { contribution: 2 });
    assert_eq!((first.receipts, second.receipts), (1, 1));
    assert!(first.amount > second.amount && !second.amount.is_zero());
    let before = (w.credit(ALICE), w.balance(ALICE));
    assert_eq!(w.call(BOB, 0, drawCall { contributions: vec![1] }).unwrap(), first.amount);
    assert_eq!(w.credit(ALICE), before.0 + first.amount);
    let claimed = w.call(ALICE, 0, drawAndClaimCall { contributions: vec![1, 2] }).unwrap();
    assert_eq!(w.balance(ALICE), before.1 + claimed);
    assert_eq!(view(&mut w, accruedOfCall { contribution: 2 }).amount, wei(0));
}
