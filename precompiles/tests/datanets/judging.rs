//! Moderators, approval, rejection, challenges, erasure.

use super::*;

const DEPOSIT: u128 = 1_000;

fn approval_required(w: &mut World) -> u64 {
    let datanet = w.datanet();
    let set = setRulesCall { datanet, rules: rules(|r| r.approvalRequired = true) };
    w.call(CURATOR, 0, set).unwrap();
    w.call(CURATOR, 0, setModeratorCall { datanet, moderator: BOB, allowed: true }).unwrap();
    datanet
}

fn wrong(contribution: u64, status: ContributionStatus) -> WrongStatus {
    WrongStatus { contribution, status }
}

fn reject(contribution: u64) -> rejectContributionCall {
    rejectContributionCall { contribution, reason: "spam".into() }
}

fn challenge(contribution: u64) -> challengeContributionCall {
    challengeContributionCall { contribution, reason: "mine".into() }
}

fn resolve(contribution: u64, upheld: bool) -> resolveContributionCall {
    resolveContributionCall { contribution, upheld, reason: "seen".into() }
}

fn erase(contribution: u64) -> tombstoneCall {
    tombstoneCall { contribution, reason: "erasure".into() }
}

#[test]
fn owner_always_moderates_and_sets_who_else_does() {
    let mut w = World::new();
    let datanet = approval_required(&mut w);
    let moderates = |account| isModeratorCall { datanet, account };
    assert!(view(&mut w, moderates(CURATOR)) && view(&mut w, moderates(BOB)));
    assert!(!view(&mut w, moderates(ALICE)));
    assert!(!view(&mut w, isModeratorCall { datanet: 9, account: CURATOR }));
    let set = |moderator, allowed| setModeratorCall { datanet, moderator, allowed };
    reverts(w.call(BOB, 0, set(ALICE, true)), NotOwner { owner: CURATOR, account: BOB });
    reverts(w.call(CURATOR, 0, set(Address::ZERO, true)), ZeroAddress {});
    w.call(CURATOR, 0, set(BOB, false)).unwrap();
    assert!(!view(&mut w, moderates(BOB)));
}

#[test]
fn version_takes_approved_contributions_where_rules_ask() {
    let mut w = World::new();
    let datanet = approval_required(&mut w);
    let c = w.contribute(ALICE, datanet, 4, 3, 0);
    reverts(w.publish(datanet, &[c]), wrong(c, ContributionStatus::Pending));
    let approve = approveContributionCall { contribution: c };
    reverts(w.call(ALICE, 0, approve.clone()), NotCurator { datanet, account: ALICE });
    w.call(CURATOR, 0, approve.clone()).unwrap();
    assert_eq!(status(&mut w, c), ContributionStatus::Approved);
    reverts(w.call(CURATOR, 0, approve), wrong(c, ContributionStatus::Approved));
    w.publish(datanet, &[c]).unwrap();
    reverts(w.call(CURATOR, 0, reject(c)), AlreadyVersioned { contribution: c, version: 1 });
    let unknown = approveContributionCall { contribution: 9 };
    reverts(w.call(CURATOR, 0, unknown), UnknownContribution { contribution: 9 });
}

#[test]
fn rejection_is_for_good_and_names_its_reason() {
    let mut w = World::new();
    let datanet = approval_required(&mut w);
    let c = w.contribute(ALICE, datanet, 4, 3, 0);
    reverts(w.call(ALICE, 0, reject(c)), NotModerator { datanet, account: ALICE });
    let long = rejectContributionCall { contribution: c, reason: "r".repeat(257) };
    reverts(w.call(BOB, 0, long), TooLong { maximum: U256::from(256), given: U256::from(257) });
    w.call(BOB, 0, reject(c)).unwrap();
    let set = events::<StatusSet>(&w).pop().unwrap();
    assert_eq!((set.by, set.reason.as_str()), (BOB, "spam"));
    reverts(w.publish(datanet, &[c]), wrong(c, ContributionStatus::Rejected));
    reverts(w.call(BOB, 0, reject(c)), wrong(c, ContributionStatus::Rejected));
    reverts(w.call(ALICE, DEPOSIT, challenge(c)), wrong(c, ContributionStatus::Rejected));
}

#[test]
fn challenge_costs_a_deposit_that_its_outcome_sends_somewhere() {
    let mut w = World::new();
    let datanet = approval_required(&mut w);
    let c = w.contribute(ALICE, datanet, 4, 3, 0);
    let wrong_deposit = WrongDeposit { required: U256::from(DEPOSIT), given: U256::ZERO };
    reverts(w.call(PAYER, 0, challenge(c)), wrong_deposit);
    w.call(PAYER, DEPOSIT, challenge(c)).unwrap();
    assert_eq!(w.balance(PAYER), U256::from(RICH - DEPOSIT));
    reverts(w.call(BOB, DEPOSIT, challenge(c)), wrong(c, ContributionStatus::Challenged));
    reverts(w.publish(datanet, &[c]), wrong(c, ContributionStatus::Challenged));
    reverts(w.call(ALICE, 0, resolve(c, true)), NotModerator { datanet, account: ALICE });
    let mut upheld = w.clone();
    upheld.call(BOB, 0, resolve(c, true)).unwrap();
    assert_eq!(status(&mut upheld, c), ContributionStatus::Rejected);
    assert_eq!(upheld.balance(PAYER), U256::from(RICH));
    w.call(BOB, 0, resolve(c, false)).unwrap();
    assert_eq!(status(&mut w, c), ContributionStatus::Approved);
    assert_eq!(w.balance(PLATFORM), U256::from(DEPOSIT));
    assert_eq!(w.balance(openledger_abi::DATANETS), U256::ZERO);
    reverts(w.call(BOB, 0, resolve(c, true)), wrong(c, ContributionStatus::Approved));
}

#[test]
fn upheld_challenge_of_versioned_rows_erases_them() {
    let mut w = World::with_model();
    w.call(PAYER, DEPOSIT, challenge(1)).unwrap();
    w.call(CURATOR, 0, resolve(1, true)).unwrap();
    let resolved = events::<ChallengeResolved>(&w).pop().unwrap();
    assert_eq!((resolved.upheld, resolved.depositTo), (true, PAYER));
    assert_eq!(status(&mut w, 1), ContributionStatus::Tombstoned);
    assert_eq!(view(&mut w, endOfCall { contribution: 1 }).tombstonedAt, w.state.time);
}

#[test]
fn erasure_is_the_owners_or_a_moderators_and_ends_a_challenge() {
    let mut w = World::new();
    let datanet = approval_required(&mut w);
    let c = w.contribute(ALICE, datanet, 4, 3, 0);
    reverts(w.call(PAYER, 0, erase(c)), NotModerator { datanet, account: PAYER });
    w.call(PAYER, DEPOSIT, challenge(c)).unwrap();
    let mut by_moderator = w.clone();
    by_moderator.call(BOB, 0, erase(c)).unwrap();
    w.call(ALICE, 0, erase(c)).unwrap();
    assert_eq!(w.balance(PAYER), U256::from(RICH));
    assert_eq!(status(&mut w, c), ContributionStatus::Tombstoned);
    reverts(w.call(ALICE, 0, erase(c)), wrong(c, ContributionStatus::Tombstoned));
    reverts(w.call(BOB, 0, resolve(c, true)), wrong(c, ContributionStatus::Tombstoned));
    reverts(w.publish(datanet, &[c]), wrong(c, ContributionStatus::Tombstoned));
}
