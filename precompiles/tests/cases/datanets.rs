//! Calls of Datanets that succeed.

use super::Case;
use crate::world::*;
use alloy_primitives::B256;
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
    vec![
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
    ]
}
