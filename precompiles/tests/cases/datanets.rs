//! Calls of Datanets that succeed.

use super::Case;
use crate::world::*;
use alloy_primitives::{B256, U256};
use openledger_abi::IDatanets::*;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN};

pub fn cases() -> Vec<Case> {
    let w = World::with_model();
    let root = B256::repeat_byte(0x77);
    let commitment = w.commitment(ALICE, 1, root);
    let mut committed = w.clone();
    committed.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    committed.advance(1);
    let mut late = committed.clone();
    late.advance(20);
    let mut revealed = w.clone();
    let contribution = revealed.contribute(ALICE, 1, 5, 3, 0);
    let create = createDatanetCall {
        schemaHash: B256::repeat_byte(1),
        domain: "law".into(),
        metadataURI: "ipfs://more-than-one-word-of-text-for-the-metadata".into(),
    };
    let reveal = revealCall { datanet: 1, root, salt: B256::ZERO, rows: 4, licence: 3, expiry: 0 };
    let publish = publishVersionCall {
        datanet: 1,
        contributions: vec![contribution],
        clusterRoot: B256::repeat_byte(8),
        clusters: 5,
    };
    let plain = vec![
        Case::new(&w, BOB, 0, &LICENCE_TRAINCall {}),
        Case::new(&w, BOB, 0, &LICENCE_SERVECall {}),
        Case::new(&w, BOB, 0, &LICENCE_RESELLCall {}),
        Case::new(&w, BOB, 0, &LICENCE_DERIVECall {}),
        Case::new(&w, BOB, 0, &commitDepositCall {}),
        Case::new(&w, BOB, 0, &revealWindowCall {}),
        Case::new(&w, BOB, 0, &datanetCountCall {}),
        Case::new(&w, BOB, 0, &contributionCountCall {}),
        Case::new(&w, BOB, 0, &isCuratorCall { datanet: 1, account: CURATOR }),
        Case::new(&committed, BOB, 0, &commitmentOfCall { owner: ALICE, commitment }),
        Case::new(&w, BOB, 0, &datanetOfCall { datanet: 1 }),
        Case::new(&w, BOB, 0, &contributionOfCall { contribution: 1 }),
        Case::new(&w, BOB, 0, &versionOfCall { datanet: 1, version: 1 }),
        Case::new(&w, BOB, 0, &datanetBalanceOfCall { owner: CURATOR }),
        Case::new(&w, BOB, 0, &contributionBalanceOfCall { owner: ALICE }),
        Case::new(&w, BOB, 0, &create),
        Case::new(&w, CURATOR, 0, &setCuratorCall { datanet: 1, curator: BOB, allowed: true }),
        Case::new(&w, ALICE, 1_000, &commitCall { commitment }),
        Case::new(&committed, ALICE, 0, &reveal),
        Case::new(&late, BOB, 0, &forfeitCall { owner: ALICE, commitment }),
        Case::new(&revealed, CURATOR, 0, &publish),
        Case::new(&w, DATANET_TOKEN, 0, &transferDatanetCall { from: CURATOR, to: BOB, datanet: 1 }),
        Case::new(
            &w,
            CONTRIBUTION_TOKEN,
            0,
            &transferContributionCall { from: ALICE, to: BOB, contribution: 1 },
        ),
    ];
    [plain, rights()].concat()
}

const TERMS: Terms = Terms {
    uses: 15,
    purposes: 3,
    regions: 6,
    expiry: 1_000_000,
    fee: 70_000,
    shareAlike: true,
    revocable: true,
};

/// Datanet 3, whose contribution 3 has two owners and terms with a fee.
fn with_terms() -> World {
    let mut w = World::with_model();
    w.datanet();
    let rules = Rules { revocableAllowed: true, ..Rules::default() };
    w.call(CURATOR, 0, setRulesCall { datanet: 3, rules }).unwrap();
    let (commitment, call) = reveal_with(&w);
    w.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    w.advance(1);
    w.call(ALICE, 0, call).unwrap();
    w
}

fn reveal_with(w: &World) -> (B256, revealWithCall) {
    let root = B256::from(U256::from(w.state.storage.len()));
    let others = vec![OwnerShare { account: BOB, bps: 1 }, OwnerShare { account: PAYER, bps: 999 }];
    let call = revealWithCall { datanet: 3, root, salt: B256::ZERO, rows: 9, terms: TERMS, coOwners: others };
    (w.commitment(ALICE, 3, root), call)
}

/// What concerns terms, owners, judgement, clusters and grants.
fn rights() -> Vec<Case> {
    let w = with_terms();
    let (commitment, reveal) = reveal_with(&w);
    let mut committed = w.clone();
    committed.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    committed.advance(1);
    let mut bought = w.clone();
    bought.call(MODELLER, 70_000, buyGrantCall { contribution: 3 }).unwrap();
    let reason = "because of what it says in more than thirty-two bytes".to_owned();
    let challenge = challengeContributionCall { contribution: 3, reason: reason.clone() };
    let mut challenged = w.clone();
    challenged.call(BOB, 1_000, challenge.clone()).unwrap();
    let mut versioned = w.clone();
    versioned.publish(3, &[3]).unwrap();
    versioned.call(BOB, 1_000, challenge.clone()).unwrap();
    let record = recordClusterCall {
        datanet: 2,
        canonical: RowRef { contribution: 1, row: 2 },
        copies: (0..3).map(|row| RowRef { contribution: 2, row }).collect(),
        evidence: B256::repeat_byte(4),
    };
    let mut merged = w.clone();
    merged.call(CURATOR, 0, record.clone()).unwrap();
    let dispute = challengeClusterCall { cluster: 1, evidence: B256::repeat_byte(5) };
    let mut disputed = merged.clone();
    disputed.call(ALICE, 1_000, dispute.clone()).unwrap();
    let create = createDatanetWithCall {
        schemaHash: B256::repeat_byte(1),
        domain: "law".into(),
        metadataURI: "ipfs://short".into(),
        rules: Rules { closed: true, requiredUses: 3, ..Rules::default() },
        parents: vec![DatanetVersion { datanet: 3, version: 1 }],
    };
    let mut open = World::with_model();
    open.datanet();
    let contribution = open.contribute(BOB, 3, 5, 15, 0);
    open.publish(3, &[contribution]).unwrap();
    let mut derived = open.clone();
    derived.call(CURATOR, 0, create.clone()).unwrap();
    let terms = Grant { uses: 3, purposes: 1, regions: 0, until: 0 };
    let give = grantCall { contribution: 3, grantee: MODELLER, terms };
    let share = transferShareCall { contribution: 3, to: MODELLER, bps: 3 };
    let revoke = revokeGrantCall { contribution: 3, grantee: MODELLER, model: 0, purposes: 0, lastValid: 0 };
    let permits = permitsCall {
        contribution: 3,
        account: MODELLER,
        r#use: 1,
        purposes: 1,
        regions: 2,
        shareAlike: false,
    };
    vec![
        Case::new(&w, BOB, 0, &PURPOSE_COMMERCIALCall {}),
        Case::new(&w, BOB, 0, &PURPOSE_RESEARCHCall {}),
        Case::new(&w, BOB, 0, &PURPOSE_EDUCATIONCall {}),
        Case::new(&w, BOB, 0, &PURPOSE_PUBLIC_SECTORCall {}),
        Case::new(&w, BOB, 0, &PURPOSE_MEDICALCall {}),
        Case::new(&w, BOB, 0, &PURPOSE_PERSONALCall {}),
        Case::new(&w, BOB, 0, &MAX_ROWSCall {}),
        Case::new(&open, BOB, 0, &create),
        Case::new(&w, CURATOR, 0, &setRulesCall { datanet: 3, rules: create.rules.clone() }),
        Case::new(&w, BOB, 0, &rulesOfCall { datanet: 3 }),
        Case::new(&derived, BOB, 0, &ancestorsOfCall { datanet: 4 }),
        Case::new(&w, CURATOR, 0, &setModeratorCall { datanet: 3, moderator: BOB, allowed: true }),
        Case::new(&w, BOB, 0, &isModeratorCall { datanet: 3, account: BOB }),
        Case::new(&committed, ALICE, 0, &reveal),
        Case::new(&w, BOB, 0, &termsOfCall { contribution: 3 }),
        Case::new(&w, BOB, 0, &endOfCall { contribution: 3 }),
        Case::new(&w, BOB, 0, &ownersOfCall { contribution: 3 }),
        Case::new(&w, BOB, 0, &ownersAtCall { contribution: 3, receipt: 7 }),
        Case::new(&bought, ALICE, 0, &share),
        Case::new(&w, CURATOR, 0, &approveContributionCall { contribution: 3 }),
        Case::new(&w, CURATOR, 0, &rejectContributionCall { contribution: 3, reason: reason.clone() }),
        Case::new(&w, BOB, 1_000, &challenge),
        Case::new(
            &challenged,
            CURATOR,
            0,
            &resolveContributionCall { contribution: 3, upheld: false, reason: reason.clone() },
        ),
        Case::new(
            &versioned,
            CURATOR,
            0,
            &resolveContributionCall { contribution: 3, upheld: true, reason: reason.clone() },
        ),
        Case::new(&challenged, ALICE, 0, &tombstoneCall { contribution: 3, reason }),
        Case::new(&w, CURATOR, 0, &record),
        Case::new(&merged, ALICE, 1_000, &dispute),
        Case::new(&disputed, CURATOR, 0, &resolveClusterCall { cluster: 1, upheld: true }),
        Case::new(&disputed, BOB, 0, &clusterOfCall { cluster: 1 }),
        Case::new(&merged, BOB, 0, &clusterCountCall {}),
        Case::new(&merged, BOB, 0, &canonicalOfCall { contribution: 2, row: 1 }),
        Case::new(&w, ALICE, 0, &give),
        Case::new(&w, MODELLER, 70_000, &buyGrantCall { contribution: 3 }),
        Case::new(&bought, ALICE, 0, &revoke),
        Case::new(&bought, BOB, 0, &grantOfCall { contribution: 3, grantee: MODELLER }),
        Case::new(&w, ALICE, 0, &withdrawLicenceCall { contribution: 3, lastValid: 0 }),
        Case::new(&bought, BOB, 0, &permits),
    ]
}
