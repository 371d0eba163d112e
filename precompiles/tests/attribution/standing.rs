//! Licences that are withdrawn, grants that are revoked: until when a model may serve.

use super::*;
use openledger_abi::IPayouts;
use openledger_abi::licence::{SERVE, TRAIN};

/// A model on a Datanet with one revocable contribution of Alice's.
fn on_revocable() -> (World, u64, u64) {
    let mut w = World::new();
    let (datanet, c) = datanet_under(&mut w, revocable());
    let model = register(&mut w, on(vec![at(datanet, 1)]), ModelExtras::default()).unwrap();
    w.call(MODELLER, 1_000_000_000, bondCall {}).unwrap();
    (w, model, c)
}

fn ask(w: &mut World, model: u64, salt: u8) -> Result<B256, Failure> {
    let (prompt, deadline) = (B256::repeat_byte(salt), w.state.time + 600);
    w.call(PAYER, 1_000_000, IPayouts::requestCall { model, promptHash: prompt, deadline })
}

#[test]
fn withdrawn_licence_ends_the_model_when_it_says() {
    let (mut w, model, c) = on_revocable();
    let (early, late) = (ask(&mut w, model, 1).unwrap(), ask(&mut w, model, 2).unwrap());
    let last = w.state.time + 50;
    withdraw(&mut w, c, last);
    assert_eq!(view(&mut w, standingOfCall { model }).pending, 1);
    w.state.time = last;
    w.settle(receipt(early, 0, vec![share(c, 0, 1_000_000)])).unwrap();
    let limited = ModelLimited { model, contribution: c, validUntil: last };
    assert_eq!(events::<ModelLimited>(&w), [limited]);
    let standing = view(&mut w, standingOfCall { model });
    assert_eq!((standing.validUntil, standing.endedBy, standing.pending), (last, c, 0));
    w.state.time = last + 1;
    let forbidden = || LicenceForbids { contribution: c, r#use: SERVE };
    reverts(w.settle(receipt(late, 1_000_000, vec![])), forbidden());
    reverts(ask(&mut w, model, 3), forbidden());
}

#[test]
fn grant_outlives_a_withdrawn_licence() {
    let (mut w, model, c) = on_revocable();
    grant(&mut w, c, SERVE, 0);
    withdraw(&mut w, c, 0);
    w.call(BOB, 0, refreshModelCall { model }).unwrap();
    let standing = view(&mut w, standingOfCall { model });
    assert_eq!((standing.validUntil, standing.pending), (0, 0));
    // For a new model SERVE alone is not enough.
    let spec = view(&mut w, modelOfCall { model }).spec;
    let forbidden = LicenceForbids { contribution: c, r#use: TRAIN };
    reverts(register(&mut w, spec.clone(), ModelExtras::default()), forbidden);
    let until = w.state.time + 9;
    grant(&mut w, c, TRAIN | SERVE, until);
    let child = register(&mut w, spec, ModelExtras::default()).unwrap();
    assert_eq!(view(&mut w, standingOfCall { model: child }).validUntil, until);
}

#[test]
fn registration_looks_at_withdrawals_that_have_not_ended() {
    let (mut w, model, c) = on_revocable();
    let last = w.state.time + 500;
    withdraw(&mut w, c, last);
    let spec = view(&mut w, modelOfCall { model }).spec;
    let second = register(&mut w, spec.clone(), ModelExtras::default()).unwrap();
    let standing = view(&mut w, standingOfCall { model: second });
    assert_eq!((standing.validUntil, standing.endedBy, standing.pending), (last, c, 0));
    w.state.time = last + 1;
    let forbidden = LicenceForbids { contribution: c, r#use: TRAIN };
    reverts(register(&mut w, spec, ModelExtras::default()), forbidden);
}

#[test]
fn rows_erased_before_registration_concern_no_model() {
    let (mut w, model, c) = on_revocable();
    w.advance(1);
    withdraw(&mut w, c, 0);
    let erase = IDatanets::tombstoneCall { contribution: c, reason: String::new() };
    w.call(ALICE, 0, erase).unwrap();
    let spec = view(&mut w, modelOfCall { model }).spec;
    w.advance(1);
    let second = register(&mut w, spec, ModelExtras::default()).unwrap();
    assert_eq!(view(&mut w, standingOfCall { model: second }).validUntil, 0);
    w.call(BOB, 0, refreshModelCall { model }).unwrap();
    assert_ne!(view(&mut w, standingOfCall { model }).validUntil, 0);
}

#[test]
fn revoked_grant_limits_the_models_that_rely_on_it() {
    let mut w = World::new();
    let (datanet, c) = datanet_under(&mut w, IDatanets::Terms::default());
    grant(&mut w, c, TRAIN | SERVE, 0);
    let model = register(&mut w, on(vec![at(datanet, 1)]), ModelExtras::default()).unwrap();
    let last = w.state.time + 7;
    let revoke = IDatanets::revokeGrantCall {
        contribution: c,
        grantee: MODELLER,
        model: 0,
        purposes: 0,
        lastValid: last,
    };
    w.call(ALICE, 0, revoke).unwrap();
    assert_eq!(events::<ModelLimited>(&w).len(), 1);
    assert_eq!(view(&mut w, standingOfCall { model }).validUntil, last);
    ask(&mut w, model, 1).unwrap();
    w.state.time = last + 1;
    reverts(ask(&mut w, model, 2), LicenceForbids { contribution: c, r#use: SERVE });
}

#[test]
fn model_with_too_many_new_withdrawals_is_refreshed_first() {
    let mut w = World::new();
    let (datanet, first) = datanet_under(&mut w, revocable());
    let more: Vec<u64> = (0..32).map(|_| reveal(&mut w, datanet, revocable())).collect();
    w.publish(datanet, &more).unwrap();
    let model = register(&mut w, on(vec![at(datanet, 2)]), ModelExtras::default()).unwrap();
    w.call(MODELLER, 1_000_000_000, bondCall {}).unwrap();
    let id = ask(&mut w, model, 1).unwrap();
    let last = w.state.time + 5_000;
    for c in more.into_iter().chain([first]) {
        withdraw(&mut w, c, last);
    }
    assert_eq!(view(&mut w, standingOfCall { model }).pending, 33);
    let answer = receipt(id, 1_000_000, vec![]);
    reverts(w.settle(answer.clone()), RefreshNeeded { model });
    reverts(ask(&mut w, model, 2), RefreshNeeded { model });
    assert_eq!(w.call(BOB, 0, refreshModelCall { model }).unwrap(), 0);
    w.settle(answer).unwrap();
    reverts(w.call(BOB, 0, refreshModelCall { model: 9 }), UnknownModel { model: 9 });
}
