//! Models: what they stand on, and whose licences must permit it.

use super::*;
use openledger_abi::licence::{SERVE, TRAIN};

#[test]
fn extras_read_back_as_they_were_given() {
    let mut w = World::with_model();
    let extras = ModelExtras {
        parents: vec![1],
        dataOrderSeed: B256::repeat_byte(1),
        hyperParameters: B256::repeat_byte(2),
        checkpointRoot: B256::repeat_byte(3),
        purposes: 6,
        regions: 5,
        shareAlike: true,
    };
    let model = register(&mut w, on(vec![at(1, 1)]), extras.clone()).unwrap();
    assert_eq!(events::<ModelDescribed>(&w), [ModelDescribed { model, extras: extras.clone() }]);
    let standing = view(&mut w, standingOfCall { model });
    assert_eq!((standing.depth, standing.extras, standing.validUntil), (1, extras, 0));
    // The parent's datasets are the child's too.
    assert_eq!(view(&mut w, modelOfCall { model }).spec.datasets, [at(1, 1), at(2, 1)]);
    let plain = view(&mut w, standingOfCall { model: 1 });
    assert_eq!((plain.depth, plain.extras), (0, ModelExtras::default()));
    reverts(w.call(BOB, 0, standingOfCall { model: 9 }), UnknownModel { model: 9 });
}

#[test]
fn wrong_parents_are_refused() {
    let mut w = World::with_model();
    let mut refused =
        |parents: Vec<u64>| register(&mut w, spec(), ModelExtras { parents, ..Default::default() });
    let nine = TooManyParents { maximum: U256::from(8), given: U256::from(9) };
    reverts(refused(vec![1; 9]), nine);
    reverts(refused(vec![0]), ParentsNotAscending { parent: 0 });
    reverts(refused(vec![1, 1]), ParentsNotAscending { parent: 1 });
    reverts(refused(vec![7]), UnknownModel { model: 7 });
    for parent in 1..=8 {
        let extras = ModelExtras { parents: vec![parent], ..Default::default() };
        register(&mut w, spec(), extras).unwrap();
    }
    assert_eq!(view(&mut w, standingOfCall { model: 9 }).depth, 8);
    let extras = ModelExtras { parents: vec![9], ..Default::default() };
    reverts(register(&mut w, spec(), extras), TooDeep { maximum: U256::from(8) });
}

#[test]
fn ancestors_of_datanets_are_datasets_and_count() {
    let mut w = World::new();
    let mut parents = vec![];
    for _ in 0..4 {
        let (datanet, _) = datanet_under(&mut w, IDatanets::Terms { uses: 15, ..Default::default() });
        parents.push(IDatanets::DatanetVersion { datanet, version: 1 });
    }
    let call = IDatanets::createDatanetWithCall {
        schemaHash: B256::ZERO,
        domain: "law".into(),
        metadataURI: String::new(),
        rules: IDatanets::Rules::default(),
        parents,
    };
    let child = w.call(CURATOR, 0, call).unwrap();
    let contribution = reveal(&mut w, child, IDatanets::Terms { uses: 15, ..Default::default() });
    w.publish(child, &[contribution]).unwrap();
    let model = register(&mut w, on(vec![at(child, 1)]), ModelExtras::default()).unwrap();
    let shown = view(&mut w, modelOfCall { model }).spec.datasets;
    assert_eq!(shown, [at(1, 1), at(2, 1), at(3, 1), at(4, 1), at(5, 1)]);
    let mut many = vec![at(child, 1)];
    for _ in 0..12 {
        many.push(at(datanet_under(&mut w, IDatanets::Terms { uses: 3, ..Default::default() }).0, 1));
    }
    let error = TooManyDatasets { maximum: U256::from(16), given: U256::from(17) };
    reverts(register(&mut w, on(many), ModelExtras::default()), error);
}

#[test]
fn unknown_datasets_are_refused() {
    let mut w = World::with_model();
    let refused = register(&mut w, on(vec![at(1, 2)]), ModelExtras::default());
    reverts(refused, UnknownVersion { datanet: 1, version: 2 });
    let refused = register(&mut w, on(vec![at(9, 1)]), ModelExtras::default());
    reverts(refused, UnknownDatanet { datanet: 9 });
}

#[test]
fn restricted_contribution_needs_a_purpose_it_allows_or_a_grant() {
    let mut w = World::new();
    let (datanet, c) = datanet_under(&mut w, IDatanets::Terms { uses: 3, purposes: 6, ..Default::default() });
    let spec = on(vec![at(datanet, 1)]);
    let forbidden = LicenceForbids { contribution: c, r#use: TRAIN };
    reverts(register(&mut w, spec.clone(), ModelExtras::default()), forbidden);
    let research = ModelExtras { purposes: 2, ..Default::default() };
    let model = register(&mut w, spec.clone(), research).unwrap();
    assert_eq!(view(&mut w, standingOfCall { model }).validUntil, 0);
    let until = w.state.time + 500;
    grant(&mut w, c, TRAIN, until);
    let forbidden = LicenceForbids { contribution: c, r#use: SERVE };
    reverts(register(&mut w, spec.clone(), ModelExtras::default()), forbidden);
    grant(&mut w, c, TRAIN | SERVE, until);
    let model = register(&mut w, spec, ModelExtras::default()).unwrap();
    let standing = view(&mut w, standingOfCall { model });
    assert_eq!((standing.validUntil, standing.endedBy), (until, c));
    assert_eq!(view(&mut w, IDatanets::grantOfCall { contribution: c, grantee: MODELLER }).models, 1);
}

#[test]
fn share_alike_binds_the_model() {
    let mut w = World::new();
    let terms = IDatanets::Terms { uses: 3, shareAlike: true, ..Default::default() };
    let (datanet, c) = datanet_under(&mut w, terms);
    let spec = on(vec![at(datanet, 1)]);
    let forbidden = LicenceForbids { contribution: c, r#use: TRAIN };
    reverts(register(&mut w, spec.clone(), ModelExtras::default()), forbidden);
    register(&mut w, spec, ModelExtras { shareAlike: true, ..Default::default() }).unwrap();
}

#[test]
fn grant_is_relied_on_by_thirty_two_models_at_most() {
    let mut w = World::new();
    let (datanet, c) = datanet_under(&mut w, IDatanets::Terms::default());
    grant(&mut w, c, TRAIN | SERVE, 0);
    for _ in 0..32 {
        register(&mut w, on(vec![at(datanet, 1)]), ModelExtras::default()).unwrap();
    }
    let error = GrantFull { contribution: c, grantee: MODELLER };
    reverts(register(&mut w, on(vec![at(datanet, 1)]), ModelExtras::default()), error);
}

#[test]
fn more_restricted_contributions_than_are_examined_are_refused() {
    let mut w = World::new();
    let datanet = w.datanet();
    let free: Vec<u64> = (0..257).map(|_| w.contribute(ALICE, datanet, 1, 1, 0)).collect();
    w.publish(datanet, &free[..256]).unwrap();
    w.publish(datanet, &free[256..]).unwrap();
    let error = TooManyRestricted { maximum: U256::from(256), given: U256::from(257) };
    reverts(register(&mut w, on(vec![at(datanet, 2)]), ModelExtras::default()), error);
    let forbidden = LicenceForbids { contribution: free[0], r#use: SERVE };
    reverts(register(&mut w, on(vec![at(datanet, 1)]), ModelExtras::default()), forbidden);
}

#[test]
fn faithfulness_is_the_owners_word_and_the_latest_counts() {
    let mut w = World::with_model();
    let publish = |lds_ppm| publishFaithfulnessCall {
        model: 1,
        ldsPpm: lds_ppm,
        errorPpm: 40_000,
        samples: 128,
        evidence: B256::repeat_byte(1),
    };
    reverts(w.call(BOB, 0, publish(1)), NotModelOwner { model: 1, account: BOB });
    assert_eq!(view(&mut w, faithfulnessOfCall { model: 1 }), Faithfulness::default());
    w.call(MODELLER, 0, publish(450_000)).unwrap();
    w.call(MODELLER, 0, publish(-1)).unwrap();
    let shown = view(&mut w, faithfulnessOfCall { model: 1 });
    assert_eq!((shown.ldsPpm, shown.errorPpm, shown.samples), (-1, 40_000, 128));
    assert_eq!(shown.publishedAt, w.state.time);
    reverts(w.call(BOB, 0, faithfulnessOfCall { model: 2 }), UnknownModel { model: 2 });
    let unknown = publishFaithfulnessCall { model: 2, ..publish(1) };
    reverts(w.call(BOB, 0, unknown), UnknownModel { model: 2 });
}

#[test]
fn attestor_is_an_account_that_the_owner_names() {
    let mut w = World::with_model();
    let zero = setAttestorCall { model: 1, attestor: Address::ZERO, allowed: true };
    reverts(w.call(MODELLER, 0, zero), ZeroAddress {});
    reverts(
        w.call(BOB, 0, setAttestorCall { model: 2, attestor: BOB, allowed: true }),
        UnknownModel { model: 2 },
    );
}
