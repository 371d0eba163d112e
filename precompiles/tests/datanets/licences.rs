//! Terms, grants, purchases, revocation, withdrawal: who may use what, for what, until when.

use super::*;
use openledger_abi::licence::purpose::{COMMERCIAL, MEDICAL, RESEARCH};
use openledger_abi::licence::{DERIVE, RESELL, SERVE, TRAIN};

/// A contribution under these terms, in a Datanet that takes them all.
fn under(terms: Terms) -> (World, u64) {
    let mut w = World::new();
    let datanet = w.datanet();
    let set = setRulesCall { datanet, rules: rules(|r| r.revocableAllowed = true) };
    w.call(CURATOR, 0, set).unwrap();
    let c = reveal_with(&mut w, ALICE, datanet, terms, vec![]).unwrap();
    (w, c)
}

fn ask(contribution: u64, r#use: u16, purposes: u32, regions: u32, share_alike: bool) -> permitsCall {
    permitsCall { contribution, account: PAYER, r#use, purposes, regions, shareAlike: share_alike }
}

fn may(w: &mut World, call: permitsCall) -> Option<u64> {
    let answer = view(w, call);
    answer.permitted.then_some(answer.until)
}

fn granting(contribution: u64, terms: Grant) -> grantCall {
    grantCall { contribution, grantee: PAYER, terms }
}

fn revoking(contribution: u64, purposes: u32, last_valid: u64) -> revokeGrantCall {
    revokeGrantCall { contribution, grantee: PAYER, model: 0, purposes, lastValid: last_valid }
}

#[test]
fn terms_read_back_as_they_were_revealed() {
    let terms = Terms {
        uses: 15,
        purposes: RESEARCH | MEDICAL,
        regions: 6,
        expiry: 99_999,
        fee: 12,
        shareAlike: true,
        revocable: true,
    };
    let (mut w, c) = under(terms.clone());
    assert_eq!(events::<TermsSet>(&w), [TermsSet { contribution: c, terms: terms.clone() }]);
    assert_eq!(view(&mut w, termsOfCall { contribution: c }), terms);
    let plain = w.contribute(BOB, 1, 1, 3, 0);
    let expected = Terms { uses: 3, ..Terms::default() };
    assert_eq!(view(&mut w, termsOfCall { contribution: plain }), expected);
}

#[test]
fn public_licence_permits_within_its_limits() {
    let terms = Terms {
        uses: TRAIN | SERVE,
        purposes: RESEARCH | MEDICAL,
        regions: 0b110,
        expiry: 20_000,
        shareAlike: true,
        ..Terms::default()
    };
    let (mut w, c) = under(terms);
    assert_eq!(may(&mut w, ask(c, TRAIN, RESEARCH, 2, true)), Some(20_000));
    assert_eq!(may(&mut w, ask(c, TRAIN | SERVE, RESEARCH | MEDICAL, 6, true)), Some(20_000));
    for refused in [
        ask(c, DERIVE, RESEARCH, 2, true),
        ask(c, TRAIN | RESELL, RESEARCH, 2, true),
        ask(c, TRAIN, COMMERCIAL, 2, true),
        ask(c, TRAIN, RESEARCH | COMMERCIAL, 2, true),
        ask(c, TRAIN, 0, 2, true),
        ask(c, TRAIN, RESEARCH, 1, true),
        ask(c, TRAIN, RESEARCH, 0, true),
        ask(c, TRAIN, RESEARCH, 2, false),
    ] {
        assert_eq!(may(&mut w, refused.clone()), None, "{refused:?}");
    }
    w.state.time = 20_000;
    assert!(may(&mut w, ask(c, TRAIN, RESEARCH, 2, true)).is_some());
    w.state.time = 20_001;
    assert_eq!(may(&mut w, ask(c, TRAIN, RESEARCH, 2, true)), None);
    reverts(w.call(BOB, 0, ask(9, TRAIN, 0, 0, false)), UnknownContribution { contribution: 9 });
}

#[test]
fn grant_permits_what_the_licence_does_not() {
    let (mut w, c) = under(Terms { uses: TRAIN, ..Terms::default() });
    let now = w.state.time;
    let terms = Grant { uses: SERVE, purposes: RESEARCH, regions: 0, until: now + 10 };
    reverts(w.call(BOB, 0, granting(c, terms.clone())), NotOwner { owner: ALICE, account: BOB });
    let zero = grantCall { contribution: c, grantee: Address::ZERO, terms: terms.clone() };
    reverts(w.call(ALICE, 0, zero), ZeroAddress {});
    reverts(w.call(ALICE, 0, granting(c, Grant { uses: 0, ..terms })), EmptyGrant {});
    let unknown = Grant { uses: 32, ..terms };
    reverts(w.call(ALICE, 0, granting(c, unknown)), UnknownLicence { licence: 32 });
    let past = Grant { until: now - 1, ..terms };
    let expired = LicenceExpired { contribution: c, expiry: now - 1 };
    reverts(w.call(ALICE, 0, granting(c, past)), expired);
    w.call(ALICE, 0, granting(c, terms.clone())).unwrap();
    let shown = view(&mut w, grantOfCall { contribution: c, grantee: PAYER });
    assert_eq!((shown.terms, shown.models), (terms, 0));
    assert_eq!(may(&mut w, ask(c, SERVE, RESEARCH, 4, false)), Some(now + 10));
    assert_eq!(may(&mut w, ask(c, SERVE, MEDICAL, 4, false)), None);
    // Neither alone permits both.
    assert_eq!(may(&mut w, ask(c, TRAIN | SERVE, RESEARCH, 4, false)), None);
    w.state.time = now + 11;
    assert_eq!(may(&mut w, ask(c, SERVE, RESEARCH, 4, false)), None);
    assert_eq!(may(&mut w, ask(c, TRAIN, 0, 0, false)), Some(0));
}

#[test]
fn licence_with_a_fee_is_bought_by_whoever_needs_it() {
    let terms = Terms { uses: 3, fee: 500, expiry: 20_000, ..Terms::default() };
    let (mut w, c) = under(terms);
    assert_eq!(may(&mut w, ask(c, TRAIN, 0, 0, false)), None);
    let buy = buyGrantCall { contribution: c };
    let wrong = WrongFee { required: U256::from(500), given: U256::from(499) };
    reverts(w.call(PAYER, 499, buy.clone()), wrong);
    w.call(PAYER, 500, buy.clone()).unwrap();
    let granted = events::<Granted>(&w).pop().unwrap();
    assert_eq!((granted.grantee, granted.paid), (PAYER, U256::from(500)));
    assert_eq!(may(&mut w, ask(c, TRAIN, COMMERCIAL, 1, false)), Some(20_000));
    assert_eq!(w.balance(openledger_abi::PAYOUTS), U256::from(500));
    let free = w.contribute(BOB, 1, 1, 3, 0);
    reverts(w.call(PAYER, 0, buyGrantCall { contribution: free }), NotForSale { contribution: free });
    let mut erased = w.clone();
    erased.call(ALICE, 0, tombstoneCall { contribution: c, reason: String::new() }).unwrap();
    reverts(erased.call(PAYER, 500, buy.clone()), NotForSale { contribution: c });
    w.state.time = 20_001;
    reverts(w.call(PAYER, 500, buy), NotForSale { contribution: c });
}

#[test]
fn grant_is_revoked_by_time_and_by_purpose() {
    let (mut w, c) = under(Terms::default());
    let all = Grant { uses: 3, ..Grant::default() };
    reverts(w.call(ALICE, 0, revoking(c, 0, 0)), UnknownGrant { contribution: c, grantee: PAYER });
    w.call(ALICE, 0, granting(c, all.clone())).unwrap();
    reverts(w.call(BOB, 0, revoking(c, 0, 0)), NotOwner { owner: ALICE, account: BOB });
    let now = w.state.time;
    w.call(ALICE, 0, revoking(c, 0, now + 5)).unwrap();
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), Some(now + 5));
    // A later end does not lengthen it.
    w.call(ALICE, 0, revoking(c, 0, now + 9)).unwrap();
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), Some(now + 5));
    w.call(ALICE, 0, revoking(c, 0, now - 7)).unwrap();
    assert_eq!(events::<GrantRevoked>(&w).pop().unwrap().lastValid, now - 1);
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), None);
    w.call(ALICE, 0, granting(c, all)).unwrap();
    w.call(ALICE, 0, revoking(c, COMMERCIAL, 0)).unwrap();
    assert_eq!(may(&mut w, ask(c, SERVE, RESEARCH, 0, false)), Some(0));
    assert_eq!(may(&mut w, ask(c, SERVE, COMMERCIAL, 0, false)), None);
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), None);
    w.call(ALICE, 0, revoking(c, u32::MAX, 0)).unwrap();
    assert_eq!(may(&mut w, ask(c, SERVE, RESEARCH, 0, false)), None);
    // For one model alone the grant itself stays.
    w.call(ALICE, 0, granting(c, Grant { uses: 3, ..Grant::default() })).unwrap();
    w.call(ALICE, 0, revokeGrantCall { model: 5, ..revoking(c, 0, 0) }).unwrap();
    assert_eq!(may(&mut w, ask(c, SERVE, RESEARCH, 0, false)), Some(0));
}

#[test]
fn licence_is_withdrawn_once_and_only_where_it_says_so() {
    let (mut w, c) = under(Terms { revocable: true, ..open_terms() });
    let now = w.state.time;
    let withdraw = |contribution, last_valid| withdrawLicenceCall { contribution, lastValid: last_valid };
    reverts(w.call(BOB, 0, withdraw(c, 0)), NotOwner { owner: ALICE, account: BOB });
    let firm = w.contribute(ALICE, 1, 1, 3, 0);
    reverts(w.call(ALICE, 0, withdraw(firm, 0)), NotRevocable { contribution: firm });
    w.call(ALICE, 0, granting(c, Grant { uses: TRAIN, ..Grant::default() })).unwrap();
    w.call(ALICE, 0, withdraw(c, now + 50)).unwrap();
    let event = LicenceWithdrawn { contribution: c, datanet: 1, lastValid: now + 50 };
    assert_eq!(events::<LicenceWithdrawn>(&w), [event]);
    assert_eq!(view(&mut w, endOfCall { contribution: c }).withdrawnAfter, now + 50);
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), Some(now + 50));
    reverts(w.call(ALICE, 0, withdraw(c, 0)), AlreadyWithdrawn { contribution: c });
    w.state.time = now + 51;
    assert_eq!(may(&mut w, ask(c, SERVE, 0, 0, false)), None);
    assert_eq!(may(&mut w, ask(c, TRAIN, 0, 0, false)), Some(0));
}

#[test]
fn purposes_have_their_bits() {
    let mut w = World::new();
    let bits = [
        view(&mut w, PURPOSE_COMMERCIALCall {}),
        view(&mut w, PURPOSE_RESEARCHCall {}),
        view(&mut w, PURPOSE_EDUCATIONCall {}),
        view(&mut w, PURPOSE_PUBLIC_SECTORCall {}),
        view(&mut w, PURPOSE_MEDICALCall {}),
        view(&mut w, PURPOSE_PERSONALCall {}),
    ];
    assert_eq!(bits, [1, 2, 4, 8, 16, 32]);
}
