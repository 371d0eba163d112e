//! Rules of Datanets, and Datanets that derive from others.

use super::*;
use openledger_abi::licence::DERIVE;

fn create(w: &mut World, rules: Rules, parents: &[(u64, u32)]) -> Result<u64, Failure> {
    let parents = parents.iter().map(|&(datanet, version)| DatanetVersion { datanet, version }).collect();
    let call = createDatanetWithCall {
        schemaHash: B256::ZERO,
        domain: "law".into(),
        metadataURI: "ipfs://derived".into(),
        rules,
        parents,
    };
    w.call(CURATOR, 0, call)
}

/// A Datanet with one version of one contribution under these terms.
fn published(w: &mut World, terms: Terms) -> u64 {
    let datanet = w.datanet();
    let contribution = reveal_with(w, ALICE, datanet, terms, vec![]).unwrap();
    w.publish(datanet, &[contribution]).unwrap();
    datanet
}

#[test]
fn rules_are_kept_shown_and_set_by_the_owner_alone() {
    let mut w = World::new();
    let given = Rules {
        closed: false,
        approvalRequired: true,
        revocableAllowed: true,
        requiredUses: 3,
        maxRows: 100,
    };
    let datanet = create(&mut w, given.clone(), &[]).unwrap();
    assert_eq!(events::<RulesSet>(&w), [RulesSet { datanet, rules: given.clone() }]);
    assert_eq!(view(&mut w, rulesOfCall { datanet }), given);
    let set = |rules| setRulesCall { datanet, rules };
    reverts(w.call(ALICE, 0, set(Rules::default())), NotOwner { owner: CURATOR, account: ALICE });
    let unknown = rules(|r| r.requiredUses = 16);
    reverts(w.call(CURATOR, 0, set(unknown.clone())), UnknownLicence { licence: 16 });
    reverts(create(&mut w, unknown, &[]), UnknownLicence { licence: 16 });
    let rows = rules(|r| r.maxRows = 1 << 24);
    reverts(w.call(CURATOR, 0, set(rows)), TooManyRows { maximum: 0xff_ffff, given: 1 << 24 });
    w.call(CURATOR, 0, set(rules(|r| r.closed = true))).unwrap();
    assert!(view(&mut w, rulesOfCall { datanet }).closed);
    reverts(
        w.call(CURATOR, 0, setRulesCall { datanet: 9, rules: Rules::default() }),
        UnknownDatanet { datanet: 9 },
    );
}

#[test]
fn contributions_must_keep_to_the_rules() {
    let mut w = World::new();
    let closed = create(&mut w, rules(|r| r.closed = true), &[]).unwrap();
    reverts(reveal_with(&mut w, ALICE, closed, open_terms(), vec![]), DatanetClosed { datanet: closed });
    let strict = create(&mut w, rules(|r| (r.requiredUses, r.maxRows) = (3, 3)), &[]).unwrap();
    let many = reveal_with(&mut w, ALICE, strict, open_terms(), vec![]);
    reverts(many, TooManyRows { maximum: 3, given: 4 });
    w.call(CURATOR, 0, setRulesCall { datanet: strict, rules: rules(|r| r.requiredUses = 3) }).unwrap();
    let lacking = Terms { uses: 1, ..Terms::default() };
    let refused = UsesRequired { required: 3, given: 1 };
    reverts(reveal_with(&mut w, ALICE, strict, lacking, vec![]), refused);
    let paid = Terms { fee: 1, ..open_terms() };
    reverts(reveal_with(&mut w, ALICE, strict, paid, vec![]), UsesRequired { required: 3, given: 15 });
    let revocable = Terms { revocable: true, ..open_terms() };
    let refused = RevocableNotAllowed { datanet: strict };
    reverts(reveal_with(&mut w, ALICE, strict, revocable, vec![]), refused);
    reveal_with(&mut w, ALICE, strict, open_terms(), vec![]).unwrap();
    let root = B256::repeat_byte(3);
    let commitment = w.commitment(ALICE, strict, root);
    w.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    w.advance(1);
    let huge = revealCall { datanet: strict, root, salt: B256::ZERO, rows: 1 << 24, licence: 3, expiry: 0 };
    reverts(w.call(ALICE, 0, huge), TooManyRows { maximum: view(&mut w, MAX_ROWSCall {}), given: 1 << 24 });
}

#[test]
fn ancestors_are_flattened_and_the_later_version_counts() {
    let mut w = World::new();
    let first = published(&mut w, open_terms());
    let later = reveal_with(&mut w, BOB, first, open_terms(), vec![]).unwrap();
    w.publish(first, &[later]).unwrap();
    let second = create(&mut w, Rules::default(), &[(first, 2)]).unwrap();
    let c = reveal_with(&mut w, BOB, second, open_terms(), vec![]).unwrap();
    w.publish(second, &[c]).unwrap();
    let third = create(&mut w, Rules::default(), &[(second, 1), (first, 1)]).unwrap();
    assert_eq!(events::<ParentAdded>(&w).len(), 2);
    let shown = view(&mut w, ancestorsOfCall { datanet: third });
    assert_eq!(shown.depth, 2);
    let expected = [
        Ancestor { datanet: first, version: 2, direct: true },
        Ancestor { datanet: second, version: 1, direct: true },
    ];
    assert_eq!(shown.ancestors, expected);
    assert_eq!(view(&mut w, ancestorsOfCall { datanet: first }).depth, 0);
    reverts(w.call(BOB, 0, ancestorsOfCall { datanet: 9 }), UnknownDatanet { datanet: 9 });
}

#[test]
fn derivation_is_refused_from_itself_the_unknown_and_the_forbidden() {
    let mut w = World::new();
    let parent = published(&mut w, open_terms());
    let mut derive = |parents: &[(u64, u32)]| create(&mut w, Rules::default(), parents);
    reverts(derive(&[(2, 1)]), ParentCycle { parent: 2 });
    reverts(derive(&[(7, 1)]), ParentCycle { parent: 7 });
    reverts(derive(&[(0, 1)]), UnknownDatanet { datanet: 0 });
    reverts(derive(&[(parent, 2)]), UnknownVersion { datanet: parent, version: 2 });
    reverts(derive(&[(parent, 1), (parent, 1)]), ParentCycle { parent });
    let five = TooManyParents { maximum: U256::from(4), given: U256::from(5) };
    reverts(derive(&[(parent, 1); 5]), five);
    let forbidding = published(&mut w, Terms { uses: 3, ..Terms::default() });
    let forbidden = |contribution| LicenceForbids { contribution, r#use: DERIVE };
    reverts(create(&mut w, Rules::default(), &[(parent, 1), (forbidding, 1)]), forbidden(2));
    let paid = published(&mut w, Terms { fee: 5, ..open_terms() });
    reverts(create(&mut w, Rules::default(), &[(paid, 1)]), forbidden(3));
    let expiry = w.state.time + 50;
    let short = published(&mut w, Terms { expiry, ..open_terms() });
    w.state.time = expiry;
    create(&mut w, Rules::default(), &[(short, 1)]).unwrap();
    w.state.time = expiry + 1;
    reverts(create(&mut w, Rules::default(), &[(short, 1)]), forbidden(4));
}

#[test]
fn chain_of_derivations_ends_at_depth_eight() {
    let mut w = World::new();
    let mut parent = published(&mut w, open_terms());
    for depth in 1..=8 {
        let child = create(&mut w, Rules::default(), &[(parent, 1)]).unwrap();
        assert_eq!(view(&mut w, ancestorsOfCall { datanet: child }).depth, depth);
        let c = reveal_with(&mut w, ALICE, child, open_terms(), vec![]).unwrap();
        w.publish(child, &[c]).unwrap();
        parent = child;
    }
    reverts(create(&mut w, Rules::default(), &[(parent, 1)]), TooDeep { maximum: U256::from(8) });
}

#[test]
fn ancestors_are_at_most_sixteen() {
    let mut w = World::new();
    let mut middles = vec![];
    for _ in 0..4 {
        let parents: Vec<_> = (0..4).map(|_| (published(&mut w, open_terms()), 1)).collect();
        let middle = create(&mut w, Rules::default(), &parents).unwrap();
        let c = reveal_with(&mut w, ALICE, middle, open_terms(), vec![]).unwrap();
        w.publish(middle, &[c]).unwrap();
        middles.push((middle, 1));
    }
    create(&mut w, Rules::default(), &middles[..3]).unwrap();
    let refused = TooManyParents { maximum: U256::from(16), given: U256::from(20) };
    reverts(create(&mut w, Rules::default(), &middles), refused);
}
