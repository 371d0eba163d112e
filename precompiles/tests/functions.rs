//! Every function of Attribution and Payouts, and every error of their interfaces; what all three have in common.
#![allow(clippy::unwrap_used)]

mod world;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolEvent};
use openledger_abi::IAttribution::{FeeAboveMaximum, NotInModel, RowOutOfRange, UnknownReceipt, *};
use openledger_abi::IDatanets::{
    NotFacade, TooLong, UnknownContribution, UnknownDatanet, UnknownVersion, ZeroAddress, *,
};
use openledger_abi::IPayouts::{self, LicenceForbids, RequestClosed, UnknownModel, UnknownRequest, *};
use openledger_abi::{CLAIM_ROUTER, PAYOUTS};
use openledger_precompiles::IPrecompile::UnknownSelector;
use openledger_precompiles::{Call, Failure, Precompile};
use world::*;

const NO_DATA: Failure = Failure::Revert(alloy_primitives::Bytes::new());

#[test]
fn parameters_of_genesis_read_back() {
    let mut w = World::new();
    assert_eq!(w.call(ALICE, 0, commitDepositCall {}).unwrap(), U256::from(1_000));
    assert_eq!(w.call(ALICE, 0, revealWindowCall {}).unwrap(), 10);
    assert_eq!(w.call(ALICE, 0, challengeWindowCall {}).unwrap(), 100);
    assert_eq!(w.call(ALICE, 0, platformCall {}).unwrap(), PLATFORM);
    let bounds = w.call(ALICE, 0, deadlineBoundsCall {}).unwrap();
    assert_eq!((bounds.minimum, bounds.maximum), (60, 3_600));
    assert_eq!(w.call(ALICE, 0, MAX_INLINE_SHARESCall {}).unwrap(), U256::from(256));
    let licences = [
        w.call(ALICE, 0, LICENCE_TRAINCall {}).unwrap(),
        w.call(ALICE, 0, LICENCE_SERVECall {}).unwrap(),
        w.call(ALICE, 0, LICENCE_RESELLCall {}).unwrap(),
        w.call(ALICE, 0, LICENCE_DERIVECall {}).unwrap(),
    ];
    assert_eq!(licences, [1, 2, 4, 8]);
}

#[test]
fn model_shows_what_was_registered() {
    let mut w = World::with_model();
    let model = w.call(BOB, 0, modelOfCall { model: 1 }).unwrap();
    assert_eq!((model.owner, model.spec, model.receipts), (MODELLER, spec(), 0));
    assert_eq!(w.call(BOB, 0, modelCountCall {}).unwrap(), 1);
    assert!(w.call(BOB, 0, isAttestorCall { model: 1, account: MODELLER }).unwrap());
    let set = setAttestorCall { model: 1, attestor: BOB, allowed: true };
    reverts(w.call(BOB, 0, set.clone()), NotModelOwner { model: 1, account: BOB });
    w.call(MODELLER, 0, set).unwrap();
    reverts(w.call(BOB, 0, modelOfCall { model: 9 }), UnknownModel { model: 9 });
}

#[test]
fn wrong_model_specs_are_refused() {
    let mut w = World::with_model();
    let mut refused = |change: &dyn Fn(&mut ModelSpec)| {
        let mut spec = spec();
        change(&mut spec);
        w.call(MODELLER, 0, registerModelCall { spec })
    };
    let at = |datanet, version| DatasetRef { datanet, version };
    reverts(refused(&|s| s.datasets.clear()), NoDatasets {});
    reverts(refused(&|s| s.datasets.swap(0, 1)), DatasetsNotAscending { datanet: 1 });
    let many = TooManyDatasets { maximum: U256::from(16), given: U256::from(17) };
    reverts(refused(&|s| s.datasets = (1..=17).map(|d| at(d, 1)).collect()), many);
    reverts(refused(&|s| s.split.model = 2_501), WrongSplit { sum: U256::from(10_001) });
    reverts(refused(&|s| s.bandPpm = 10_001), BandTooWide { maximum: 10_000, given: 10_001 });
    reverts(refused(&|s| s.datasets = vec![at(1, 2)]), UnknownVersion { datanet: 1, version: 2 });
    reverts(refused(&|s| s.datasets = vec![at(7, 1)]), UnknownDatanet { datanet: 7 });
    let long = TooLong { maximum: U256::from(256), given: U256::from(257) };
    reverts(refused(&|s| s.metadataURI = "u".repeat(257)), long);
}

#[test]
fn licence_forbids_by_name_of_the_contribution_and_after_expiry() {
    let mut w = World::with_model();
    let datanet = w.datanet();
    let no_serving = w.contribute(BOB, datanet, 1, 1, 0);
    w.publish(datanet, &[no_serving]).unwrap();
    let mut refused = spec();
    refused.datasets = vec![DatasetRef { datanet, version: 1 }];
    let forbids = LicenceForbids { contribution: no_serving, r#use: 2 };
    reverts(w.call(MODELLER, 0, registerModelCall { spec: refused.clone() }), forbids);
    let datanet = w.datanet();
    let expiry = w.state.time + 500;
    let short = w.contribute(BOB, datanet, 3, 3, expiry);
    w.publish(datanet, &[short]).unwrap();
    refused.datasets = vec![DatasetRef { datanet, version: 1 }];
    let model = w.call(MODELLER, 0, registerModelCall { spec: refused }).unwrap();
    let deadline = w.state.time + 600;
    let request = requestCall { model, promptHash: B256::ZERO, deadline };
    let id = w.call(PAYER, 1_000_000, request.clone()).unwrap();
    w.state.time = expiry + 1;
    let forbids = || LicenceForbids { contribution: short, r#use: 2 };
    reverts(w.settle(receipt(id, 1_000_000, vec![])), forbids());
    let again = requestCall { promptHash: B256::repeat_byte(1), ..request };
    reverts(w.call(PAYER, 1_000_000, again), forbids());
}

#[test]
fn request_is_bounded_in_fee_and_time() {
    let mut w = World::with_model();
    let now = w.state.time;
    let ask = |deadline| requestCall { model: 1, promptHash: B256::ZERO, deadline };
    let below = FeeBelowPrice { minimum: U256::from(1_039), given: U256::from(1_038) };
    reverts(w.call(PAYER, 1_038, ask(now + 60)), below);
    reverts(w.call(PAYER, 2_000, ask(now + 59)), DeadlineTooSoon { earliest: now + 60, given: now + 59 });
    reverts(
        w.call(PAYER, 2_000, ask(now + 3_601)),
        DeadlineTooFar { latest: now + 3_600, given: now + 3_601 },
    );
    let unknown = requestCall { model: 5, promptHash: B256::ZERO, deadline: now + 60 };
    reverts(w.call(PAYER, 2_000, unknown), UnknownModel { model: 5 });
    let id = w.call(PAYER, 1_039, ask(now + 60)).unwrap();
    assert_eq!(id, openledger_shares::request_id(CHAIN, PAYER, 1, B256::ZERO, now + 60));
    reverts(w.call(PAYER, 1_039, ask(now + 60)), RequestExists { requestId: id });
    let shown = w.call(BOB, 0, requestOfCall { requestId: id }).unwrap();
    assert_eq!((shown.payer, shown.maxFee, shown.status), (PAYER, U256::from(1_039), Status::Open));
    let none = B256::repeat_byte(1);
    reverts(w.call(BOB, 0, requestOfCall { requestId: none }), UnknownRequest { requestId: none });
}

#[test]
fn refund_waits_for_the_deadline_and_happens_once() {
    let mut w = World::with_model();
    let id = w.request(5_000, 1).unwrap();
    let deadline = w.state.time + 600;
    w.state.time = deadline;
    reverts(w.call(BOB, 0, refundCall { requestId: id }), DeadlineNotPassed { deadline });
    w.state.time += 1;
    reverts(w.settle(good(id)), DeadlinePassed { deadline });
    w.call(BOB, 0, refundCall { requestId: id }).unwrap();
    assert_eq!(w.balance(PAYER), U256::from(RICH));
    let closed = || RequestClosed { requestId: id, status: Status::Refunded };
    reverts(w.call(BOB, 0, refundCall { requestId: id }), closed());
    reverts(w.settle(good(id)), closed());
}

#[test]
fn settlement_pays_everyone_exactly() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    // 100 * 7 + 33 * 31 + 1001 = 2724, of which 1723 are split.
    let quote = w.call(BOB, 0, quoteCall { model: 1, tokensIn: 100, tokensOut: 33 }).unwrap();
    assert_eq!(quote.fee, U256::from(2_724));
    assert_eq!(quote.platform, U256::from(1_001 + 86));
    assert_eq!(w.credit(PLATFORM), quote.platform);
    assert_eq!(w.credit(MODELLER), quote.model + quote.stakers);
    assert_eq!(w.balance(PAYER), U256::from(RICH - 2_724));
    w.call(BOB, 0, drawCall { contributions: vec![1, 2] }).unwrap();
    let people = w.credit(ALICE) + w.credit(BOB) + w.credit(CURATOR);
    assert_eq!(people, quote.contributors);
    assert_eq!(w.balance(PAYOUTS), quote.fee);
    let shown = w.call(BOB, 0, receiptOfCall { requestId: id }).unwrap();
    assert_eq!((shown.fee, shown.contributorsWei, shown.shareCount), (quote.fee, quote.contributors, 3));
    assert_eq!(w.call(BOB, 0, modelOfCall { model: 1 }).unwrap().receipts, 1);
    reverts(w.settle(good(id)), RequestClosed { requestId: id, status: Status::Settled });
}

#[test]
fn settlement_emits_shares_once_and_what_it_credits_to_datanets() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    let logs = &w.state.logs;
    let count = |topic| logs.iter().filter(|log| log.topics()[0] == topic).count();
    assert_eq!(count(ReceiptSettled::SIGNATURE_HASH), 1);
    assert_eq!(count(Settled::SIGNATURE_HASH), 1);
    assert_eq!(count(Credited::SIGNATURE_HASH), 0);
    assert_eq!(count(UnattributedCredited::SIGNATURE_HASH), 2);
}

#[test]
fn wrong_receipts_are_refused() {
    let mut w = World::with_model();
    let datanet = w.datanet();
    let outside = w.contribute(BOB, datanet, 5, 3, 0);
    let unpublished = w.contribute(BOB, 1, 5, 3, 0);
    let id = w.request(1_000_000, 1).unwrap();
    let mut refused = |unattributed, shares| w.settle(receipt(id, unattributed, shares));
    reverts(refused(0, vec![share(1, 0, 999_999)]), WrongShareSum { sum: U256::from(999_999) });
    reverts(refused(u32::MAX, vec![]), WrongShareSum { sum: U256::from(u32::MAX) });
    reverts(refused(1_000_000, vec![share(1, 0, 0)]), ZeroShare { index: U256::ZERO });
    let twice = vec![share(1, 0, 500_000), share(1, 0, 500_000)];
    reverts(refused(0, twice), SharesNotAscending { index: U256::ONE });
    let many = TooManyShares { maximum: U256::from(256), given: U256::from(257) };
    reverts(refused(0, vec![share(1, 0, 1); 257]), many);
    reverts(refused(0, vec![share(1, 10, 1_000_000)]), RowOutOfRange { contribution: 1, row: 10 });
    for contribution in [outside, unpublished] {
        let error = NotInModel { contribution, model: 1 };
        reverts(refused(0, vec![share(contribution, 0, 1_000_000)]), error);
    }
    for contribution in [99, (1 << 40) - 1, 1 << 40, u64::MAX] {
        reverts(refused(0, vec![share(contribution, 0, 1_000_000)]), UnknownContribution { contribution });
    }
    let settle = settleCall { receipt: good(id) };
    reverts(w.call(BOB, 0, settle), NotAttestor { model: 1, account: BOB });
    let dear = Receipt { tokensOut: 1_000_000, ..good(id) };
    let fee = U256::from(700 + 31_000_000 + 1_001);
    reverts(w.settle(dear), FeeAboveMaximum { maximum: U256::from(1_000_000), fee });
    let none = B256::repeat_byte(0x77);
    reverts(w.settle(good(none)), UnknownRequest { requestId: none });
    reverts(w.call(BOB, 0, receiptOfCall { requestId: id }), UnknownReceipt { requestId: id });
}

#[test]
fn bond_is_held_for_the_challenge_window() {
    let mut w = World::with_model();
    let free = U256::from(1_000_000_000u64);
    w.call(MODELLER, 0, unbondCall { amount: free - U256::from(2_000) }).unwrap();
    let first = w.request(1_000_000, 1).unwrap();
    w.settle(good(first)).unwrap();
    let bond = w.call(BOB, 0, bondOfCall { attestor: MODELLER }).unwrap();
    assert_eq!((bond.total, bond.locked), (U256::from(2_000), U256::from(1_035)));
    let second = w.request(1_000_000, 2).unwrap();
    let small = || BondTooSmall { free: U256::from(965), required: U256::from(1_035) };
    reverts(w.settle(good(second)), small());
    reverts(w.call(MODELLER, 0, unbondCall { amount: U256::from(1_035) }), small());
    w.state.time += 99;
    reverts(w.settle(good(second)), small());
    // The last bucket that holds it lasts 7 seconds.
    w.state.time += 7;
    w.settle(good(second)).unwrap();
    w.state.time += 106;
    assert_eq!(w.call(BOB, 0, bondOfCall { attestor: MODELLER }).unwrap().locked, U256::ZERO);
    w.call(MODELLER, 0, unbondCall { amount: U256::from(2_000) }).unwrap();
}

#[test]
fn lineage_pages_through_the_shares() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    let page = |offset: u64, limit| lineageOfCall { requestId: id, offset: U256::from(offset), limit };
    let all = w.call(BOB, 0, page(0, U256::MAX)).unwrap();
    assert_eq!((all.total, all.entries.len(), all.datasetRoots.len()), (U256::from(3), 3, 2));
    assert_eq!(all.adapterHash, spec().adapterHash);
    let last = w.call(BOB, 0, page(2, U256::from(1))).unwrap();
    assert_eq!(last.entries, all.entries[2..]);
    assert_eq!((last.entries[0].contribution, last.entries[0].row, last.entries[0].ppm), (2, 19, 233_333));
    assert_eq!(last.entries[0].owner, BOB);
    assert!(w.call(BOB, 0, page(3, U256::MAX)).unwrap().entries.is_empty());
    let none = B256::ZERO;
    let unknown = lineageOfCall { requestId: none, offset: U256::ZERO, limit: U256::ZERO };
    reverts(w.call(BOB, 0, unknown), UnknownReceipt { requestId: none });
}

#[test]
fn credits_are_claimed_by_account_by_anyone_for_it_or_by_the_router() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    w.call(PAYER, 0, drawCall { contributions: vec![1, 2] }).unwrap();
    let owed = w.credit(ALICE);
    assert_eq!(w.call(ALICE, 0, claimCall {}).unwrap(), owed);
    assert_eq!(w.balance(ALICE), U256::from(RICH) + owed);
    reverts(w.call(ALICE, 0, claimCall {}), NothingToClaim { account: ALICE });
    let owed = w.credit(BOB);
    w.call(ALICE, 0, claimForCall { account: BOB }).unwrap();
    assert_eq!(w.balance(BOB), U256::from(RICH) + owed);
    let owed = w.credit(CURATOR);
    let to = |to| claimToCall { account: CURATOR, to };
    reverts(w.call(CURATOR, 0, to(BOB)), NotFacade { account: CURATOR });
    reverts(w.call(CLAIM_ROUTER, 0, to(Address::ZERO)), ZeroAddress {});
    assert_eq!(w.call(CLAIM_ROUTER, 0, to(PLATFORM)).unwrap(), owed);
    assert_eq!(w.balance(PLATFORM), owed);
}

#[test]
fn largest_receipt_settles_and_reads_back() {
    let mut w = World::with_model();
    let datanet = w.datanet();
    let big = w.contribute(ALICE, datanet, 1_000, 3, 0);
    w.publish(datanet, &[big]).unwrap();
    let mut on_big = spec();
    on_big.datasets = vec![DatasetRef { datanet, version: 1 }];
    let model = w.call(MODELLER, 0, registerModelCall { spec: on_big }).unwrap();
    let deadline = w.state.time + 600;
    let id = w.call(PAYER, 1_000_000, requestCall { model, promptHash: B256::ZERO, deadline }).unwrap();
    let shares: Vec<_> = (0..256).map(|row| share(big, row, 3_906)).collect();
    w.settle(receipt(id, 1_000_000 - 256 * 3_906, shares)).unwrap();
    let call = lineageOfCall { requestId: id, offset: U256::ZERO, limit: U256::MAX };
    assert_eq!(w.call(BOB, 0, call).unwrap().entries.len(), 256);
}

#[test]
fn calls_that_are_not_what_the_function_takes_are_refused() {
    let mut w = World::with_model();
    let how = Call { caller: ALICE, value: U256::ZERO, is_static: false, is_direct: true };
    let gas = 1_000_000;
    let create = createDatanetCall { schemaHash: B256::ZERO, domain: "a".into(), metadataURI: "b".into() };
    let data = create.abi_encode();
    for precompile in Precompile::ALL {
        let unknown = |selector: [u8; 4]| UnknownSelector { selector: selector.into() };
        reverts(w.raw(precompile, how, gas, &[]), unknown([0; 4]));
        reverts(w.raw(precompile, how, gas, &[1, 2, 3]), unknown([1, 2, 3, 0]));
        reverts(w.raw(precompile, how, gas, &[0xff; 4]), unknown([0xff; 4]));
    }
    for length in 4..data.len() {
        let result = w.raw(Precompile::Datanets, how, gas, &data[..length]);
        // The last string's padding may be missing; whatever else is missing is an error.
        assert!(length >= data.len() - 31 || result == Err(NO_DATA), "{length}");
    }
    let refused = |call: Call, w: &mut World| {
        assert!(matches!(w.raw(Precompile::Datanets, call, gas, &data), Err(Failure::Revert(_))));
    };
    refused(Call { is_static: true, ..how }, &mut w);
    refused(Call { is_direct: false, ..how }, &mut w);
    refused(Call { value: U256::ONE, ..how }, &mut w);
    let long = [data.clone(), vec![0; 1 << 16]].concat();
    assert!(matches!(w.raw(Precompile::Datanets, how, gas, &long), Err(Failure::Revert(_))));
    assert_eq!(w.raw(Precompile::Datanets, how, 1_000, &long), Err(Failure::OutOfGas));
    w.raw(Precompile::Datanets, how, gas, &data).unwrap();
    // A length that would take 2^64 elements allocates nothing and reverts.
    let mut huge = IPayouts::claimForCall { account: ALICE }.abi_encode();
    huge[..4].copy_from_slice(&publishVersionCall::SELECTOR);
    huge.extend([0xff; 32 * 6]);
    assert_eq!(w.raw(Precompile::Datanets, how, gas, &huge), Err(NO_DATA));
}
