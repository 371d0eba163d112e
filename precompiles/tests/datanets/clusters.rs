//! Near-duplicates: the earliest commitment is canonical, whoever reveals or records first.

use super::*;

fn at(contribution: u64, row: u32) -> RowRef {
    RowRef { contribution, row }
}

fn record(canonical: RowRef, copies: &[RowRef]) -> recordClusterCall {
    recordClusterCall { datanet: 1, canonical, copies: copies.to_vec(), evidence: B256::repeat_byte(0xee) }
}

/// Two contributions of Datanet 1, Alice's committed first, and one of Datanet 2.
fn world() -> World {
    let mut w = World::new();
    w.datanet();
    w.datanet();
    w.contribute(ALICE, 1, 10, 3, 0);
    w.contribute(BOB, 1, 10, 3, 0);
    w.contribute(BOB, 2, 10, 3, 0);
    w
}

#[test]
fn copies_point_to_the_earliest_row() {
    let mut w = world();
    let cluster = w.call(CURATOR, 0, record(at(1, 3), &[at(2, 0), at(2, 1), at(1, 4)])).unwrap();
    assert_eq!((cluster, view(&mut w, clusterCountCall {})), (1, 1));
    let canonical = view(&mut w, canonicalOfCall { contribution: 2, row: 1 });
    assert_eq!((canonical._0, canonical.cluster), (at(1, 3), 1));
    let own = view(&mut w, canonicalOfCall { contribution: 2, row: 2 });
    assert_eq!((own._0, own.cluster), (at(2, 2), 0));
    let shown = view(&mut w, clusterOfCall { cluster });
    assert_eq!((shown.contribution, shown.row, shown.copies), (1, 3, 3));
    assert_eq!(shown.status, ClusterStatus::Recorded);
    reverts(w.call(BOB, 0, clusterOfCall { cluster: 2 }), UnknownCluster { cluster: 2 });
    // The canonical row turns out to be a copy itself: what pointed to it follows.
    w.call(CURATOR, 0, record(at(1, 2), &[at(1, 3)])).unwrap();
    let canonical = view(&mut w, canonicalOfCall { contribution: 2, row: 1 });
    assert_eq!((canonical._0, canonical.cluster), (at(1, 2), 1));
}

#[test]
fn later_commitment_can_never_be_canonical() {
    let mut w = world();
    let later = |contribution, row| NotLater { contribution, row };
    reverts(w.call(CURATOR, 0, record(at(2, 0), &[at(1, 0)])), later(1, 0));
    reverts(w.call(CURATOR, 0, record(at(1, 4), &[at(1, 4)])), later(1, 4));
    reverts(w.call(CURATOR, 0, record(at(1, 4), &[at(1, 3)])), later(1, 3));
    reverts(w.call(CURATOR, 0, record(at(3, 4), &[at(2, 3)])), later(2, 3));
}

#[test]
fn cluster_is_refused_without_rows_that_fit_it() {
    let mut w = world();
    reverts(w.call(ALICE, 0, record(at(1, 0), &[at(2, 0)])), NotCurator { datanet: 1, account: ALICE });
    reverts(w.call(CURATOR, 0, record(at(1, 0), &[])), NoCopies {});
    let many = TooManyCopies { maximum: U256::from(32), given: U256::from(33) };
    reverts(w.call(CURATOR, 0, record(at(1, 0), &vec![at(2, 0); 33])), many);
    let unknown = UnknownContribution { contribution: 9 };
    reverts(w.call(CURATOR, 0, record(at(9, 0), &[at(2, 0)])), unknown.clone());
    reverts(w.call(CURATOR, 0, record(at(1, 0), &[at(9, 0)])), unknown);
    let beyond = |contribution| RowOutOfRange { contribution, row: 10 };
    reverts(w.call(CURATOR, 0, record(at(1, 10), &[at(2, 0)])), beyond(1));
    reverts(w.call(CURATOR, 0, record(at(1, 0), &[at(2, 10)])), beyond(2));
    reverts(w.call(BOB, 0, canonicalOfCall { contribution: 1, row: 10 }), beyond(1));
    let foreign = WrongDatanet { contribution: 3, datanet: 1 };
    reverts(w.call(CURATOR, 0, record(at(1, 0), &[at(3, 0)])), foreign);
    let twice = AlreadyMerged { contribution: 2, row: 0, cluster: 1 };
    reverts(w.call(CURATOR, 0, record(at(1, 0), &[at(2, 0), at(2, 0)])), twice.clone());
    w.call(CURATOR, 0, record(at(1, 0), &[at(2, 0)])).unwrap();
    reverts(w.call(CURATOR, 0, record(at(1, 1), &[at(2, 0)])), twice.clone());
    reverts(w.call(CURATOR, 0, record(at(2, 0), &[at(2, 1)])), twice);
    let mut unknown = record(at(1, 0), &[at(2, 1)]);
    unknown.datanet = 9;
    reverts(w.call(CURATOR, 0, unknown), UnknownDatanet { datanet: 9 });
}

#[test]
fn dissolved_cluster_lets_its_rows_go() {
    let mut w = world();
    let copies: Vec<_> = (0..10).map(|row| at(2, row)).collect();
    let cluster = w.call(CURATOR, 0, record(at(1, 0), &copies)).unwrap();
    let challenge = challengeClusterCall { cluster, evidence: B256::repeat_byte(1) };
    let deposit = WrongDeposit { required: U256::from(1_000), given: U256::ONE };
    reverts(w.call(BOB, 1, challenge.clone()), deposit);
    let resolve = |upheld| resolveClusterCall { cluster, upheld };
    let is = |status| WrongClusterStatus { cluster, status };
    reverts(w.call(CURATOR, 0, resolve(true)), is(ClusterStatus::Recorded));
    w.call(BOB, 1_000, challenge.clone()).unwrap();
    reverts(w.call(BOB, 1_000, challenge), is(ClusterStatus::Challenged));
    assert_eq!(view(&mut w, canonicalOfCall { contribution: 2, row: 9 }).cluster, cluster);
    reverts(w.call(BOB, 0, resolve(true)), NotModerator { datanet: 1, account: BOB });
    let mut kept = w.clone();
    kept.call(CURATOR, 0, resolve(false)).unwrap();
    assert_eq!(kept.balance(PLATFORM), U256::from(1_000));
    assert_eq!(view(&mut kept, canonicalOfCall { contribution: 2, row: 9 }).cluster, cluster);
    w.call(CURATOR, 0, resolve(true)).unwrap();
    assert_eq!(w.balance(BOB), U256::from(RICH));
    for row in 0..10 {
        assert_eq!(view(&mut w, canonicalOfCall { contribution: 2, row }).cluster, 0);
    }
    assert_eq!(view(&mut w, clusterOfCall { cluster }).status, ClusterStatus::Dissolved);
    w.call(CURATOR, 0, record(at(1, 0), &copies)).unwrap();
}
