//! Calls at their worst arguments: as much as the bounds allow.

use alloy_primitives::{Address, B256, U256};
use openledger_abi::{
    COURT,
    IAttribution::{
        ClusterShare, DatasetRef, ModelExtras, Receipt, Tail, bondCall, freezeReceiptCall, historyOfCall,
        lineageOfCall, receiptsOfModelCall, refreshModelCall, registerModelCall, registerModelWithCall,
        resolveReceiptCall, settleCall, settleTailCall, tailOfCall,
    },
    IDatanets::{
        DatanetVersion, Grant, OwnerShare, RowRef, Rules, Terms, commitCall, createDatanetWithCall,
        grantCall, ownersOfCall, publishVersionCall, recordClusterCall, revealWithCall, revokeGrantCall,
        setRulesCall, transferShareCall, withdrawLicenceCall,
    },
    IPayouts::{TailClaim, claimTailCall, drawCall},
};
use openledger_shares::{SumTree, TailLeaf};

use crate::{
    cases::Case,
    world::{ALICE, BOB, CURATOR, MODELLER, RICH, World, receipt, share, spec},
};

const DATANETS: u64 = 16;
const EACH: u64 = 16;

pub(crate) fn cases() -> Vec<Case> {
    [settlements(), tails(), owners(), clusters(), families(), terms()].concat()
}

fn must<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the world of a worst case cannot be made: {error:?}"),
    }
}

/// Sixteen Datanets with sixteen contributions each, and a model on all of them.
fn wide() -> World {
    let mut w = World::new();
    for _ in 0..DATANETS {
        let datanet = w.datanet();
        let contributions: Vec<u64> = (0..EACH).map(|_| w.contribute(ALICE, datanet, 10, 3, 0)).collect();
        must(w.publish(datanet, &contributions));
    }
    let datasets = (1..=DATANETS).map(|datanet| DatasetRef { datanet, version: 1 }).collect();
    must(w.call(
        MODELLER,
        0,
        registerModelCall { spec: openledger_abi::IAttribution::ModelSpec { datasets, ..spec() } },
    ));
    must(w.call(MODELLER, 1_000_000_000_000, bondCall {}));
    w
}

fn whole(id: B256) -> Receipt {
    let mut shares: Vec<ClusterShare> =
        (0..DATANETS * EACH).map(|n| share(1 + n, n as u32 % 10, 3_860 + n as u32 % 7)).collect();
    let sum: u32 = shares.iter().map(|share| share.ppm).sum();
    if let Some(last) = shares.last_mut() {
        last.ppm += 1_000_000 - 10_000 - sum;
    }
    receipt(id, 10_000, shares)
}

fn settlements() -> Vec<Case> {
    let mut w = wide();
    w.state.balances.insert(COURT, U256::from(RICH));
    let id = must(w.request(1_000_000, 1));
    let settle = settleCall { receipt: whole(id) };
    let settle_only = Case::new(&w, MODELLER, 0, &settle);
    // The same, which fails at its last check: without a bond.
    let mut poor = w.clone();
    must(poor.call(
        MODELLER,
        0,
        openledger_abi::IAttribution::unbondCall { amount: U256::from(1_000_000_000_000u64) },
    ));
    let in_vain = Case::new(&poor, MODELLER, 0, &settle);
    let mut settled = w.clone();
    must(settled.call(MODELLER, 0, settle));
    let mut frozen = settled.clone();
    must(frozen.call(COURT, 77, freezeReceiptCall { requestId: id, challenger: BOB }));
    let corrected =
        whole(id).shares.into_iter().map(|s| ClusterShare { ppm: s.ppm.min(3_862), ..s }).collect();
    let resolve = resolveReceiptCall { requestId: id, wrong: true, corrected };
    let mut long = settled.clone();
    for salt in 2..66u8 {
        let id = must(long.request(1_000_000, salt));
        must(long.settle(whole(id)));
    }
    let all = U256::from(256);
    let history = historyOfCall { contribution: 7, model: 1, before: 0, limit: U256::from(64) };
    vec![
        settle_only,
        in_vain,
        Case::new(&frozen, COURT, 0, &resolve),
        Case::new(&settled, BOB, 0, &lineageOfCall { requestId: id, offset: U256::ZERO, limit: all }),
        Case::new(&long, BOB, 0, &history),
        Case::new(&long, BOB, 0, &receiptsOfModelCall { model: 1, offset: U256::ZERO, limit: all }),
        Case::new(&settled, BOB, 0, &drawCall { contributions: (1..=64).collect() }),
        Case::new(&settled, BOB, 0, &drawCall { contributions: vec![1; 64] }),
    ]
}

/// A leaf with the longest path.
fn tails() -> Vec<Case> {
    let mut w = World::with_model();
    let id = must(w.request(1_000_000, 1));
    let leaves = 1u32 << 12;
    let settle = |w: &mut World, root| {
        let receipt = receipt(id, 0, vec![share(1, 0, 1)]);
        must(w.call(MODELLER, 0, settleTailCall { receipt, tail: Tail { root, ppm: 999_999, leaves } }));
    };
    let mut trial = w.clone();
    settle(&mut trial, B256::repeat_byte(1));
    let amount = must(trial.call(BOB, 0, tailOfCall { requestId: id })).amount;
    let leaf = |n: u32| TailLeaf { contribution: 1, amount: if n == 5 { amount } else { U256::ZERO } };
    let tree = must(SumTree::new(&(0..leaves).map(leaf).collect::<Vec<_>>()));
    settle(&mut w, tree.root().hash);
    let path = must(tree.path(5));
    let (siblings, sums) = path.into_iter().map(|node| (node.hash, node.sum)).unzip();
    let leaf = TailClaim { index: 5, contribution: 1, amount, siblings, sums };
    vec![Case::new(&w, BOB, 0, &claimTailCall { requestId: id, leaf })]
}

fn account(n: u64) -> Address {
    Address::from_word(U256::from(0x1_0000 + n).into())
}

/// A contribution with sixteen owners, and one with 32 grants' worth of models.
fn owners() -> Vec<Case> {
    let mut w = World::with_model();
    let root = B256::repeat_byte(0x41);
    let commitment = w.commitment(ALICE, 1, root);
    must(w.call(ALICE, 1_000, commitCall { commitment }));
    w.advance(1);
    let others = (0..15).map(|n| OwnerShare { account: account(n), bps: 600 }).collect();
    let terms = Terms { uses: 15, ..Terms::default() };
    let reveal = revealWithCall { datanet: 1, root, salt: B256::ZERO, rows: 10, terms, coOwners: others };
    let revealed = Case::new(&w, ALICE, 0, &reveal);
    let contribution = must(w.call(ALICE, 0, reveal));
    let share = transferShareCall { contribution, to: account(3), bps: 1 };
    vec![revealed, Case::new(&w, ALICE, 0, &share), Case::new(&w, BOB, 0, &ownersOfCall { contribution })]
}

fn clusters() -> Vec<Case> {
    let mut w = World::with_model();
    w.datanet();
    let first = w.contribute(ALICE, 3, 100, 3, 0);
    let second = w.contribute(BOB, 3, 100, 3, 0);
    let record = recordClusterCall {
        datanet: 3,
        canonical: RowRef { contribution: first, row: 0 },
        copies: (0..32).map(|row| RowRef { contribution: second, row }).collect(),
        evidence: B256::repeat_byte(4),
    };
    let contributions: Vec<u64> = (0..256).map(|_| w.contribute(ALICE, 3, 10, 3, 0)).collect();
    let publish =
        publishVersionCall { datanet: 3, contributions, clusterRoot: B256::repeat_byte(7), clusters: 1 };
    vec![Case::new(&w, CURATOR, 0, &record), Case::new(&w, CURATOR, 0, &publish)]
}

/// A Datanet of four parents and sixteen ancestors, with the longest texts.
fn families() -> Vec<Case> {
    let mut w = World::new();
    let mut made = Vec::new();
    let create = |parents: &[u64]| createDatanetWithCall {
        schemaHash: B256::repeat_byte(1),
        domain: "d".repeat(64),
        metadataURI: "u".repeat(256),
        rules: Rules::default(),
        parents: parents.iter().map(|datanet| DatanetVersion { datanet: *datanet, version: 1 }).collect(),
    };
    let add = |w: &mut World, parents: &[u64]| {
        let datanet = must(w.call(CURATOR, 0, create(parents)));
        let contribution = w.contribute(ALICE, datanet, 5, 15, 0);
        must(w.publish(datanet, &[contribution]));
        datanet
    };
    for _ in 0..4 {
        let roots = [add(&mut w, &[]), add(&mut w, &[]), add(&mut w, &[])];
        made.push(add(&mut w, &roots));
    }
    vec![Case::new(&w, CURATOR, 0, &create(&made))]
}

/// Contributions that are for sale, of which a model has grants to all; licences that are withdrawn.
fn terms() -> Vec<Case> {
    let mut w = World::new();
    w.datanet();
    let rules = Rules { revocableAllowed: true, ..Rules::default() };
    must(w.call(CURATOR, 0, setRulesCall { datanet: 1, rules }));
    let mut contributions = Vec::new();
    for n in 0..256u64 {
        let root = B256::from(U256::from(0x9_0000 + n));
        let commitment = w.commitment(ALICE, 1, root);
        must(w.call(ALICE, 1_000, commitCall { commitment }));
        w.advance(1);
        let terms = Terms {
            uses: 15,
            purposes: 1,
            regions: 0,
            expiry: 0,
            fee: 0,
            shareAlike: false,
            revocable: true,
        };
        let reveal = revealWithCall { datanet: 1, root, salt: B256::ZERO, rows: 10, terms, coOwners: vec![] };
        let contribution = must(w.call(ALICE, 0, reveal));
        let terms = Grant { uses: 3, purposes: 0, regions: 0, until: 0 };
        must(w.call(ALICE, 0, grantCall { contribution, grantee: MODELLER, terms }));
        contributions.push(contribution);
    }
    must(w.publish(1, &contributions));
    let datasets = vec![DatasetRef { datanet: 1, version: 1 }];
    let spec = openledger_abi::IAttribution::ModelSpec { datasets, metadataURI: "u".repeat(256), ..spec() };
    let extras = ModelExtras { purposes: 2, regions: 4, ..ModelExtras::default() };
    let register = registerModelWithCall { spec, extras };
    let registered = Case::new(&w, MODELLER, 0, &register);
    let mut models = w.clone();
    for _ in 0..32 {
        must(models.call(MODELLER, 0, register.clone()));
    }
    let revoke = revokeGrantCall { contribution: 1, grantee: MODELLER, model: 0, purposes: 0, lastValid: 0 };
    let revoked = Case::new(&models, ALICE, 0, &revoke);
    let mut withdrawn = w.clone();
    must(withdrawn.call(MODELLER, 0, register));
    for contribution in contributions {
        must(withdrawn.call(ALICE, 0, withdrawLicenceCall { contribution, lastValid: 0 }));
    }
    let refreshed = Case::new(&withdrawn, BOB, 0, &refreshModelCall { model: 1 });
    vec![registered, revoked, refreshed]
}
