//! Bad input: a clear typed error, and nothing changed.
#![allow(clippy::unwrap_used)]

mod world;

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolError, SolInterface, SolValue};
use openledger_abi::IAttribution::{RequestClosed, *};
use openledger_abi::IDatanets::{TooLong, *};
use openledger_abi::IPayouts::{FeeAboveMaximum, LicenceForbids, Status, UnknownModel, *};
use openledger_abi::{IAttribution, IDatanets, IPayouts};
use openledger_precompiles::IPrecompile::{CalldataTooLong, StaticCallRefused, UnknownSelector};
use openledger_precompiles::{Call, Failure, MemoryBackend, Precompile};
use world::*;

const GAS: u64 = 30_000_000;

fn by(caller: alloy_primitives::Address) -> Call {
    Call { caller, value: U256::ZERO, is_static: false, is_direct: true }
}

/// Storage and balances; what a test compares before and after.
fn kept(world: &World) -> MemoryBackend {
    let mut state = world.state.clone();
    state.begin();
    state
}

#[track_caller]
fn refuses<C: SolCall>(
    w: &mut World,
    from: alloy_primitives::Address,
    value: u128,
    call: C,
    error: impl SolError,
) {
    let before = kept(w);
    reverts(w.call(from, value, call), error);
    assert_eq!(kept(w), before);
}

#[test]
fn every_function_refuses_every_truncation_of_its_arguments() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let calls: Vec<(Precompile, Vec<u8>)> = vec![
        (
            Precompile::Datanets,
            revealCall { datanet: 1, root: B256::ZERO, salt: B256::ZERO, rows: 1, licence: 3, expiry: 0 }
                .abi_encode(),
        ),
        (
            Precompile::Datanets,
            publishVersionCall {
                datanet: 1,
                contributions: vec![1, 2],
                clusterRoot: B256::ZERO,
                clusters: 1,
            }
            .abi_encode(),
        ),
        (Precompile::Attribution, settleCall { receipt: good(id) }.abi_encode()),
        (
            Precompile::Attribution,
            registerModelCall {
                // 32 bytes, so that no padding is left that could be missing.
                spec: ModelSpec { metadataURI: "u".repeat(32), ..spec() },
            }
            .abi_encode(),
        ),
        (
            Precompile::Payouts,
            IPayouts::requestCall { model: 1, promptHash: B256::ZERO, deadline: 1 }.abi_encode(),
        ),
        (Precompile::Payouts, claimForCall { account: ALICE }.abi_encode()),
    ];
    let before = kept(&w);
    for (to, data) in calls {
        for length in 4..data.len() {
            let result = w.raw(to, by(MODELLER), GAS, &data[..length]);
            assert_eq!(result, Err(Failure::Revert(Bytes::new())), "{to:?} {length}");
        }
    }
    assert_eq!(kept(&w), before);
}

#[test]
fn dirty_words_and_wrong_offsets_are_refused() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let before = kept(&w);
    let mut refused = |to, data: &[u8]| {
        let result = w.raw(to, by(MODELLER), GAS, data);
        assert_eq!(result, Err(Failure::Revert(Bytes::new())));
    };
    // An address with bits above its 20 bytes, a boolean that is 2, a uint64 above 64 bits.
    let mut claim = claimForCall { account: ALICE }.abi_encode();
    claim[4] = 1;
    refused(Precompile::Payouts, &claim);
    let mut set = setAttestorCall { model: 1, attestor: ALICE, allowed: true }.abi_encode();
    set[4 + 95] = 2;
    refused(Precompile::Attribution, &set);
    let mut datanet = datanetOfCall { datanet: 1 }.abi_encode();
    datanet[4 + 23] = 1;
    refused(Precompile::Datanets, &datanet);
    // The receipt's offset and its shares' offset and length, each as large as it can be and just too large.
    let settle = settleCall { receipt: good(id) }.abi_encode();
    for word in [0, 7, 8] {
        for bad in [U256::MAX, U256::from(u64::MAX), U256::from(u32::MAX), U256::from(settle.len())] {
            let mut data = settle.clone();
            data[4 + 32 * word..4 + 32 * (word + 1)].copy_from_slice(&bad.to_be_bytes::<32>());
            refused(Precompile::Attribution, &data);
        }
    }
    // A string that is not UTF-8.
    let create = createDatanetCall { schemaHash: B256::ZERO, domain: "law".into(), metadataURI: "x".into() };
    let mut data = create.abi_encode();
    let at = data.windows(3).position(|window| window == b"law").unwrap();
    data[at] = 0xff;
    refused(Precompile::Datanets, &data);
    assert_eq!(kept(&w), before);
}

#[test]
fn array_of_many_elements_costs_before_it_is_read() {
    let mut w = World::with_model();
    let contributions: Vec<u64> = (0..2_040).collect();
    let long = publishVersionCall { datanet: 1, contributions, clusterRoot: B256::ZERO, clusters: 1 };
    let too_long = TooLong { maximum: U256::from(256), given: U256::from(2_040) };
    refuses(&mut w, CURATOR, 0, long.clone(), too_long);
    assert_eq!(w.raw(Precompile::Datanets, by(CURATOR), 10_000, &long.abi_encode()), Err(Failure::OutOfGas));
    let over = vec![0u8; 1 << 16].abi_encode();
    let data = [publishVersionCall::SELECTOR.as_slice(), &over].concat();
    let too_long = CalldataTooLong { maximum: U256::from(65_536), given: U256::from(data.len()) };
    reverts(w.raw(Precompile::Datanets, by(CURATOR), GAS, &data), too_long);
}

#[test]
fn reveal_of_anything_but_what_was_committed_is_unknown() {
    let mut w = World::new();
    w.datanet();
    w.datanet();
    let (root, salt) = (B256::repeat_byte(1), B256::ZERO);
    let commitment = w.commitment(ALICE, 1, root);
    w.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    w.advance(1);
    let right = revealCall { datanet: 1, root, salt, rows: 1, licence: 3, expiry: 0 };
    let hash = |owner, datanet, root, salt| {
        openledger_shares::contribution_commitment(CHAIN, datanet, owner, root, salt)
    };
    let other = B256::repeat_byte(2);
    for (owner, call) in [
        (ALICE, revealCall { salt: other, ..right }),
        (ALICE, revealCall { root: other, ..right }),
        (ALICE, revealCall { datanet: 2, ..right }),
        (BOB, right.clone()),
    ] {
        let commitment = hash(owner, call.datanet, call.root, call.salt);
        refuses(&mut w, owner, 0, call, UnknownCommitment { owner, commitment });
    }
    w.call(ALICE, 0, right.clone()).unwrap();
    refuses(&mut w, ALICE, 0, right, UnknownCommitment { owner: ALICE, commitment });
}

#[test]
fn reveal_into_a_datanet_that_does_not_exist_keeps_the_commitment() {
    let mut w = World::new();
    let root = B256::repeat_byte(1);
    let commitment = w.commitment(ALICE, 9, root);
    w.call(ALICE, 1_000, commitCall { commitment }).unwrap();
    w.advance(1);
    let reveal = revealCall { datanet: 9, root, salt: B256::ZERO, rows: 1, licence: 3, expiry: 0 };
    refuses(&mut w, ALICE, 0, reveal, IDatanets::UnknownDatanet { datanet: 9 });
}

#[test]
fn answer_settles_once_and_a_refunded_request_never() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    let settled = || RequestClosed { requestId: id, status: Status::Settled as u8 };
    refuses(&mut w, MODELLER, 0, settleCall { receipt: good(id) }, settled());
    refuses(&mut w, BOB, 0, settleCall { receipt: good(id) }, settled());
    w.state.time += 10_000;
    let closed = IPayouts::RequestClosed { requestId: id, status: Status::Settled };
    refuses(&mut w, BOB, 0, refundCall { requestId: id }, closed);
}

#[test]
fn settlement_without_bond_is_refused_and_succeeds_with_it() {
    let mut w = World::with_model();
    w.call(MODELLER, 0, setAttestorCall { model: 1, attestor: BOB, allowed: true }).unwrap();
    let id = w.request(1_000_000, 1).unwrap();
    let settle = || settleCall { receipt: good(id) };
    let small = |free| BondTooSmall { free: U256::from(free), required: U256::from(1_035) };
    refuses(&mut w, BOB, 0, settle(), small(0));
    w.call(BOB, 1_034, bondCall {}).unwrap();
    refuses(&mut w, BOB, 0, settle(), small(1_034));
    w.call(BOB, 1, bondCall {}).unwrap();
    w.call(BOB, 0, settle()).unwrap();
    refuses(
        &mut w,
        BOB,
        0,
        unbondCall { amount: U256::ONE },
        BondTooSmall { free: U256::ZERO, required: U256::ONE },
    );
    refuses(
        &mut w,
        BOB,
        0,
        unbondCall { amount: U256::MAX },
        BondTooSmall { free: U256::ZERO, required: U256::MAX },
    );
}

#[test]
fn attestor_that_is_dismissed_cannot_settle() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    w.call(MODELLER, 0, setAttestorCall { model: 1, attestor: MODELLER, allowed: false }).unwrap();
    let error = NotAttestor { model: 1, account: MODELLER };
    refuses(&mut w, MODELLER, 0, settleCall { receipt: good(id) }, error);
    // The model is gone on with by whoever owns it.
    let zero = setAttestorCall { model: 1, attestor: alloy_primitives::Address::ZERO, allowed: true };
    refuses(&mut w, MODELLER, 0, zero, IAttribution::ZeroAddress {});
}

#[test]
fn unknown_models_and_requests_are_named() {
    let mut w = World::with_model();
    let deadline = w.state.time + 600;
    for model in [0, 2, u64::MAX] {
        let request = requestCall { model, promptHash: B256::ZERO, deadline };
        refuses(&mut w, PAYER, 1_000_000, request, UnknownModel { model });
        refuses(&mut w, BOB, 0, quoteCall { model, tokensIn: 1, tokensOut: 1 }, UnknownModel { model });
        let set = setAttestorCall { model, attestor: BOB, allowed: true };
        refuses(&mut w, BOB, 0, set, IAttribution::UnknownModel { model });
    }
    let id = B256::repeat_byte(0x99);
    let unknown = || IAttribution::UnknownRequest { requestId: id };
    refuses(&mut w, MODELLER, 0, settleCall { receipt: good(id) }, unknown());
    refuses(&mut w, BOB, 0, refundCall { requestId: id }, IPayouts::UnknownRequest { requestId: id });
}

#[test]
fn escrow_below_the_price_of_the_shortest_answer_or_above_112_bits_is_refused() {
    let mut w = World::with_model();
    let deadline = w.state.time + 600;
    let request = requestCall { model: 1, promptHash: B256::ZERO, deadline };
    for given in [0, 1, 1_038] {
        let below = FeeBelowPrice { minimum: U256::from(1_039), given: U256::from(given) };
        refuses(&mut w, PAYER, given, request.clone(), below);
    }
    let most = (U256::ONE << 112) - U256::ONE;
    let given = most + U256::ONE;
    w.state.balances.insert(PAYER, U256::MAX);
    let before = kept(&w);
    let how = Call { value: given, ..by(PAYER) };
    let above = FeeAboveMaximum { maximum: most, fee: given }.abi_encode();
    let result = w.raw(Precompile::Payouts, how, GAS, &request.abi_encode());
    assert_eq!(result, Err(Failure::Revert(above.into())));
    assert_eq!(kept(&w), before);
}

#[test]
fn escrow_that_the_answer_outgrew_is_refused_to_the_wei() {
    let mut w = World::with_model();
    let short = w.request(2_723, 1).unwrap();
    let error = IAttribution::FeeAboveMaximum { maximum: U256::from(2_723), fee: U256::from(2_724) };
    refuses(&mut w, MODELLER, 0, settleCall { receipt: good(short) }, error);
    let exact = w.request(2_724, 2).unwrap();
    w.settle(good(exact)).unwrap();
    let longest = Receipt { tokensIn: u32::MAX, tokensOut: u32::MAX, ..good(short) };
    let fee = U256::from(u32::MAX) * U256::from(38) + U256::from(1_001);
    let error = IAttribution::FeeAboveMaximum { maximum: U256::from(2_723), fee };
    refuses(&mut w, MODELLER, 0, settleCall { receipt: longest }, error);
}

#[test]
fn dearest_price_there_is_overflows_nowhere() {
    let mut w = World::with_model();
    let mut dear = spec();
    dear.price =
        IAttribution::Price { perTokenIn: u128::MAX, perTokenOut: u128::MAX, platformFee: u128::MAX };
    let model = w.call(MODELLER, 0, registerModelCall { spec: dear }).unwrap();
    let quote = w.call(BOB, 0, quoteCall { model, tokensIn: u32::MAX, tokensOut: u32::MAX }).unwrap();
    assert_eq!(quote.platform + quote.model + quote.stakers + quote.contributors, quote.fee);
    let minimum = U256::from(u128::MAX) * U256::from(3);
    let request = requestCall { model, promptHash: B256::ZERO, deadline: w.state.time + 600 };
    refuses(&mut w, PAYER, 5, request, FeeBelowPrice { minimum, given: U256::from(5) });
}

#[test]
fn licence_that_runs_out_while_the_answer_is_awaited_leaves_the_escrow_to_its_payer() {
    let mut w = World::with_model();
    let datanet = w.datanet();
    let expiry = w.state.time + 100;
    let contribution = w.contribute(BOB, datanet, 3, 3, expiry);
    w.publish(datanet, &[contribution]).unwrap();
    let spec = ModelSpec { datasets: vec![DatasetRef { datanet, version: 1 }], ..spec() };
    let model = w.call(MODELLER, 0, registerModelCall { spec: spec.clone() }).unwrap();
    let deadline = w.state.time + 600;
    let request = requestCall { model, promptHash: B256::ZERO, deadline };
    let id = w.call(PAYER, 1_000_000, request.clone()).unwrap();
    w.state.time = expiry;
    let last = w.call(PAYER, 1_000_000, requestCall { promptHash: B256::repeat_byte(1), ..request }).unwrap();
    let mut in_time = w.clone();
    in_time.settle(receipt(last, 1_000_000, vec![])).unwrap();
    w.state.time = expiry + 1;
    let settle = settleCall { receipt: receipt(id, 1_000_000, vec![]) };
    refuses(&mut w, MODELLER, 0, settle, IAttribution::LicenceForbids { contribution, r#use: 2 });
    let again = requestCall { promptHash: B256::repeat_byte(2), ..request };
    refuses(&mut w, PAYER, 1_000_000, again, LicenceForbids { contribution, r#use: 2 });
    let train = IAttribution::LicenceForbids { contribution, r#use: 1 };
    refuses(&mut w, MODELLER, 0, registerModelCall { spec }, train);
    w.state.time = deadline + 1;
    for id in [id, last] {
        w.call(BOB, 0, refundCall { requestId: id }).unwrap();
    }
    assert_eq!(w.balance(PAYER), U256::from(RICH));
}

#[test]
fn nothing_to_claim_is_said_of_the_account() {
    let mut w = World::with_model();
    refuses(&mut w, ALICE, 0, claimCall {}, NothingToClaim { account: ALICE });
    refuses(&mut w, ALICE, 0, claimForCall { account: BOB }, NothingToClaim { account: BOB });
}

#[test]
fn functions_of_one_precompile_are_unknown_to_the_others() {
    let mut w = World::with_model();
    let all: [Vec<[u8; 4]>; 3] = [
        IDatanets::IDatanetsCalls::selectors().collect(),
        IAttribution::IAttributionCalls::selectors().collect(),
        IPayouts::IPayoutsCalls::selectors().collect(),
    ];
    let before = kept(&w);
    for (index, to) in Precompile::ALL.into_iter().enumerate() {
        for selectors in all.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, all)| all) {
            for selector in selectors {
                let data = [selector.as_slice(), &[0; 320]].concat();
                let unknown = UnknownSelector { selector: (*selector).into() };
                reverts(w.raw(to, by(ALICE), GAS, &data), unknown);
            }
        }
    }
    assert_eq!(kept(&w), before);
}

#[test]
fn views_answer_in_a_static_call_and_writes_do_not() {
    let mut w = World::with_model();
    let how = Call { is_static: true, ..by(ALICE) };
    let view = bondOfCall { attestor: MODELLER }.abi_encode();
    assert!(w.raw(Precompile::Attribution, how, GAS, &view).is_ok());
    let bond = bondCall {}.abi_encode();
    reverts(w.raw(Precompile::Attribution, how, GAS, &bond), StaticCallRefused {});
}
