//! Datanets, commitments, versions, transfers.

use crate::world::*;
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IDatanets::*;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN};

#[test]
fn datanet_is_created_and_shown_with_its_texts() {
    let mut w = World::new();
    assert_eq!(w.datanet(), 1);
    assert_eq!(w.call(ALICE, 0, datanetCountCall {}).unwrap(), 1);
    let shown = w.call(ALICE, 0, datanetOfCall { datanet: 1 }).unwrap();
    assert_eq!((shown.owner, shown.createdAt, shown.domain.as_str()), (CURATOR, 10_000, "law"));
    assert_eq!(shown.metadataURI, "ipfs://a-metadata-uri-that-is-longer-than-one-word");
    assert_eq!(w.call(ALICE, 0, datanetBalanceOfCall { owner: CURATOR }).unwrap(), U256::ONE);
    reverts(w.call(ALICE, 0, datanetOfCall { datanet: 2 }), UnknownDatanet { datanet: 2 });
    reverts(w.call(ALICE, 0, datanetBalanceOfCall { owner: Address::ZERO }), ZeroAddress {});
    let long = |domain: usize, uri: usize| createDatanetCall {
        schemaHash: B256::ZERO,
        domain: "d".repeat(domain),
        metadataURI: "u".repeat(uri),
    };
    assert_eq!(w.call(ALICE, 0, long(64, 256)).unwrap(), 2);
    let shown = w.call(ALICE, 0, datanetOfCall { datanet: 2 }).unwrap();
    assert_eq!((shown.domain.len(), shown.metadataURI.len()), (64, 256));
    let too_long = |maximum, given| TooLong { maximum: U256::from(maximum), given: U256::from(given) };
    reverts(w.call(ALICE, 0, long(65, 0)), too_long(64, 65));
    reverts(w.call(ALICE, 0, long(0, 257)), too_long(256, 257));
}

#[test]
fn curators_are_set_by_the_owner_alone() {
    let mut w = World::new();
    w.datanet();
    let set = |curator| setCuratorCall { datanet: 1, curator, allowed: true };
    reverts(w.call(ALICE, 0, set(ALICE)), NotOwner { owner: CURATOR, account: ALICE });
    reverts(w.call(CURATOR, 0, set(Address::ZERO)), ZeroAddress {});
    w.call(CURATOR, 0, set(ALICE)).unwrap();
    assert!(w.call(BOB, 0, isCuratorCall { datanet: 1, account: ALICE }).unwrap());
    assert!(!w.call(BOB, 0, isCuratorCall { datanet: 1, account: BOB }).unwrap());
}

#[test]
fn copied_commitment_neither_blocks_nor_gains() {
    let mut w = World::new();
    w.datanet();
    let root = B256::repeat_byte(1);
    let commitment = w.commitment(ALICE, 1, root);
    w.call(BOB, 1_000, commitCall { commitment }).unwrap();
    assert_eq!(w.call(ALICE, 1_000, commitCall { commitment }).unwrap(), 2);
    reverts(w.call(ALICE, 1_000, commitCall { commitment }), CommitmentExists { owner: ALICE, commitment });
    w.advance(1);
    let reveal = revealCall { datanet: 1, root, salt: B256::ZERO, rows: 1, licence: 3, expiry: 0 };
    assert_eq!(w.call(ALICE, 0, reveal.clone()).unwrap(), 1);
    let bobs = w.commitment(BOB, 1, root);
    reverts(w.call(BOB, 0, reveal), UnknownCommitment { owner: BOB, commitment: bobs });
}

#[test]
fn reveal_keeps_to_its_window_and_gives_the_deposit_back() {
    let mut w = World::new();
    w.datanet();
    let root = B256::repeat_byte(1);
    let commitment = w.commitment(ALICE, 1, root);
    let wrong = WrongDeposit { required: U256::from(1_000), given: U256::from(999) };
    reverts(w.call(ALICE, 999, commitCall { commitment }), wrong);
    w.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    let open = w.call(ALICE, 0, commitmentOfCall { owner: ALICE, commitment }).unwrap();
    assert_eq!((open.priority, open.committedBlock, open.deposit), (1, 100, U256::from(1_000)));
    let reveal = revealCall { datanet: 1, root, salt: B256::ZERO, rows: 1, licence: 3, expiry: 0 };
    reverts(w.call(ALICE, 0, reveal.clone()), RevealTooEarly { firstBlock: 101 });
    reverts(w.call(BOB, 0, forfeitCall { owner: ALICE, commitment }), RevealWindowOpen { lastBlock: 110 });
    w.advance(10);
    reverts(w.call(ALICE, 0, revealCall { rows: 0, ..reveal }), NoRows {});
    reverts(w.call(ALICE, 0, revealCall { licence: 16, ..reveal }), UnknownLicence { licence: 16 });
    let expired = LicenceExpired { contribution: 1, expiry: 9 };
    reverts(w.call(ALICE, 0, revealCall { expiry: 9, ..reveal }), expired);
    let mut late = w.clone();
    w.call(ALICE, 0, reveal.clone()).unwrap();
    assert_eq!(w.balance(ALICE), U256::from(RICH));
    let closed = w.call(ALICE, 0, commitmentOfCall { owner: ALICE, commitment }).unwrap();
    assert_eq!((closed.priority, closed.deposit), (0, U256::ZERO));
    assert_eq!(w.call(ALICE, 0, contributionOfCall { contribution: 1 }).unwrap().owner, ALICE);
    assert_eq!(w.call(ALICE, 0, contributionBalanceOfCall { owner: ALICE }).unwrap(), U256::ONE);
    reverts(
        w.call(ALICE, 0, contributionOfCall { contribution: 2 }),
        UnknownContribution { contribution: 2 },
    );
    late.advance(1);
    reverts(late.call(ALICE, 0, reveal), RevealTooLate { lastBlock: 110 });
    late.call(BOB, 0, forfeitCall { owner: ALICE, commitment }).unwrap();
    assert_eq!(late.balance(PLATFORM), U256::from(1_000));
    let unknown = UnknownCommitment { owner: ALICE, commitment };
    reverts(late.call(BOB, 0, forfeitCall { owner: ALICE, commitment }), unknown);
}

#[test]
fn version_adds_up_rows_and_licences() {
    let mut w = World::new();
    w.datanet();
    w.datanet();
    let a = w.contribute(ALICE, 1, 5, 15, 0);
    let b = w.contribute(BOB, 1, 6, 3, 50_000);
    let other = w.contribute(BOB, 2, 1, 3, 0);
    let publish =
        publishVersionCall { datanet: 1, contributions: vec![a], clusterRoot: B256::ZERO, clusters: 0 };
    reverts(w.call(ALICE, 0, publish), NotCurator { datanet: 1, account: ALICE });
    reverts(w.publish(1, &[]), NoRows {});
    reverts(w.publish(1, &[a, other]), WrongDatanet { contribution: other, datanet: 1 });
    reverts(w.publish(1, &[a, a]), AlreadyVersioned { contribution: a, version: 1 });
    let many = TooLong { maximum: U256::from(256), given: U256::from(257) };
    reverts(w.publish(1, &[a; 257]), many);
    assert_eq!(w.publish(1, &[a]).unwrap(), 1);
    reverts(w.publish(1, &[a]), AlreadyVersioned { contribution: a, version: 1 });
    assert_eq!(w.publish(1, &[b]).unwrap(), 2);
    let first = w.call(ALICE, 0, versionOfCall { datanet: 1, version: 1 }).unwrap();
    let v = w.call(ALICE, 0, versionOfCall { datanet: 1, version: 2 }).unwrap();
    assert_eq!((v.rows, v.contributions, v.licence, v.expiry), (11, 2, 3, 50_000));
    let root_b = w.call(ALICE, 0, contributionOfCall { contribution: b }).unwrap().root;
    assert_eq!(v.root, openledger_shares::version_root(first.root, &[root_b], B256::repeat_byte(7)));
    reverts(
        w.call(ALICE, 0, versionOfCall { datanet: 1, version: 3 }),
        UnknownVersion { datanet: 1, version: 3 },
    );
    let short = w.contribute(ALICE, 1, 5, 15, w.state.time + 10);
    w.state.time += 1_000;
    let expiry = w.call(ALICE, 0, contributionOfCall { contribution: short }).unwrap().expiry;
    reverts(w.publish(1, &[short]), LicenceExpired { contribution: short, expiry });
}

#[test]
fn ownership_moves_by_the_facades_alone() {
    let mut w = World::with_model();
    let datanet = |from, to| transferDatanetCall { from, to, datanet: 1 };
    reverts(w.call(CURATOR, 0, datanet(CURATOR, BOB)), NotFacade { account: CURATOR });
    reverts(w.call(DATANET_TOKEN, 0, datanet(ALICE, BOB)), NotOwner { owner: CURATOR, account: ALICE });
    reverts(w.call(DATANET_TOKEN, 0, datanet(CURATOR, Address::ZERO)), ZeroAddress {});
    w.call(DATANET_TOKEN, 0, datanet(CURATOR, BOB)).unwrap();
    assert_eq!(w.call(BOB, 0, datanetBalanceOfCall { owner: CURATOR }).unwrap(), U256::ONE);
    let contribution = |from, to| transferContributionCall { from, to, contribution: 1 };
    reverts(w.call(DATANET_TOKEN, 0, contribution(ALICE, BOB)), NotFacade { account: DATANET_TOKEN });
    w.call(CONTRIBUTION_TOKEN, 0, contribution(ALICE, BOB)).unwrap();
    w.call(CONTRIBUTION_TOKEN, 0, contribution(BOB, BOB)).unwrap();
    assert_eq!(w.call(BOB, 0, contributionBalanceOfCall { owner: BOB }).unwrap(), U256::from(2));
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    assert_eq!(w.credit(ALICE), U256::ZERO);
    assert!(w.credit(BOB) > U256::ZERO);
}
