//! No order of calls makes or loses a wei.
#![allow(clippy::unwrap_used)]

mod world;

use alloy_primitives::{Address, B256, U256};
use openledger_abi::IAttribution::*;
use openledger_abi::IDatanets::*;
use openledger_abi::IPayouts::*;
use proptest::prelude::*;
use world::*;

#[derive(Clone, Debug)]
enum Op {
    Commit { who: u8, salt: u8 },
    Reveal { who: u8, salt: u8 },
    Forfeit { who: u8, salt: u8 },
    Request { value: u32 },
    Settle { which: u8, tokens: (u16, u16), cuts: [u32; 3] },
    Refund { which: u8 },
    Claim { who: u8 },
    Bond { wei: u16 },
    Unbond { wei: u16 },
    Wait { blocks: u16 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..3u8, 0..4u8).prop_map(|(who, salt)| Op::Commit { who, salt }),
        (0..3u8, 0..4u8).prop_map(|(who, salt)| Op::Reveal { who, salt }),
        (0..3u8, 0..4u8).prop_map(|(who, salt)| Op::Forfeit { who, salt }),
        any::<u32>().prop_map(|value| Op::Request { value: value % 2_000_000 }),
        (any::<u8>(), any::<(u16, u16)>(), any::<[u32; 3]>()).prop_map(|(which, tokens, cuts)| Op::Settle {
            which,
            tokens,
            cuts: cuts.map(|c| c % 1_000_001)
        }),
        any::<u8>().prop_map(|which| Op::Refund { which }),
        (0..6u8).prop_map(|who| Op::Claim { who }),
        any::<u16>().prop_map(|wei| Op::Bond { wei }),
        any::<u16>().prop_map(|wei| Op::Unbond { wei }),
        (0..80u16).prop_map(|blocks| Op::Wait { blocks }),
    ]
}

const PEOPLE: [Address; 6] = [ALICE, BOB, PAYER, CURATOR, MODELLER, PLATFORM];

fn run(w: &mut World, requests: &mut Vec<B256>, commitments: &mut Vec<(Address, B256)>, op: Op) {
    let root = |salt: u8| B256::repeat_byte(0x40 + salt);
    // Calls that revert are part of the test: they change nothing.
    match op {
        Op::Commit { who, salt } => {
            let owner = PEOPLE[usize::from(who)];
            let commitment = w.commitment(owner, 1, root(salt));
            commitments.push((owner, commitment));
            let _ = w.call(owner, 1_000, commitCall { commitment });
        }
        Op::Reveal { who, salt } => {
            let call =
                revealCall { datanet: 1, root: root(salt), salt: B256::ZERO, rows: 1, licence: 3, expiry: 0 };
            let _ = w.call(PEOPLE[usize::from(who)], 0, call);
        }
        Op::Forfeit { who, salt } => {
            let owner = PEOPLE[usize::from(who)];
            let commitment = w.commitment(owner, 1, root(salt));
            let _ = w.call(BOB, 0, forfeitCall { owner, commitment });
        }
        Op::Request { value } => {
            if let Ok(id) = w.request(u128::from(value), requests.len() as u8) {
                requests.push(id);
            }
        }
        Op::Settle { which, tokens, mut cuts } => {
            let Some(id) = requests.get(usize::from(which) % requests.len().max(1)) else { return };
            cuts.sort_unstable();
            let parts = [(1, 3, cuts[0]), (1, 4, cuts[1] - cuts[0]), (2, 0, cuts[2] - cuts[1])];
            let shares =
                parts.into_iter().filter(|part| part.2 > 0).map(|(c, r, p)| share(c, r, p)).collect();
            let (tokens_in, tokens_out) = (u32::from(tokens.0), u32::from(tokens.1));
            let given = receipt(*id, 1_000_000 - cuts[2], shares);
            let _ = w.settle(Receipt { tokensIn: tokens_in, tokensOut: tokens_out, ..given });
        }
        Op::Refund { which } => {
            if let Some(id) = requests.get(usize::from(which) % requests.len().max(1)) {
                let _ = w.call(BOB, 0, refundCall { requestId: *id });
            }
        }
        Op::Claim { who } => drop(w.call(BOB, 0, claimForCall { account: PEOPLE[usize::from(who)] })),
        Op::Bond { wei } => drop(w.call(MODELLER, u128::from(wei), bondCall {})),
        Op::Unbond { wei } => drop(w.call(MODELLER, 0, unbondCall { amount: U256::from(wei) })),
        Op::Wait { blocks } => w.advance(u64::from(blocks)),
    }
}

fn check(w: &mut World, requests: &[B256], commitments: &[(Address, B256)]) {
    let mut deposits = U256::ZERO;
    let mut seen = std::collections::BTreeSet::new();
    for &(owner, commitment) in commitments {
        if seen.insert((owner, commitment)) {
            deposits += w.call(BOB, 0, commitmentOfCall { owner, commitment }).unwrap().deposit;
        }
    }
    let (mut owed, mut open, mut lately) = (U256::ZERO, U256::ZERO, U256::ZERO);
    for &id in requests {
        let request = w.call(BOB, 0, requestOfCall { requestId: id }).unwrap();
        if request.status == Status::Open {
            owed += request.maxFee;
        }
        if request.status == Status::Settled {
            let receipt = w.call(BOB, 0, receiptOfCall { requestId: id }).unwrap();
            let end = receipt.settledAt + parameters().challenge_window;
            open += if w.state.time < end { receipt.contributorsWei } else { U256::ZERO };
            // A bucket lasts a sixteenth of the window, rounded up.
            lately += if w.state.time < end + 7 { receipt.contributorsWei } else { U256::ZERO };
        }
    }
    for account in PEOPLE {
        owed += w.credit(account);
    }
    for contribution in [1, 2] {
        owed += w.call(BOB, 0, accruedOfCall { contribution }).unwrap().amount;
    }
    let bond = w.call(BOB, 0, bondOfCall { attestor: MODELLER }).unwrap();
    assert!(bond.locked <= bond.total);
    assert!((open..=lately).contains(&bond.locked));
    assert_eq!(total_held(w), [deposits, bond.total, owed]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn balances_equal_what_is_owed(ops in prop::collection::vec(op(), 1..60)) {
        let mut w = World::with_model();
        w.call(MODELLER, 0, unbondCall { amount: U256::from(999_000_000u64) }).unwrap();
        let (mut requests, mut commitments) = (Vec::new(), Vec::new());
        for op in ops {
            run(&mut w, &mut requests, &mut commitments, op);
            check(&mut w, &requests, &commitments);
        }
    }

    #[test]
    fn any_calldata_ends_without_a_panic(
        which in 0..3usize,
        pick in any::<prop::sample::Index>(),
        tail in prop::collection::vec(prop_oneof![Just(0u8), Just(0x20), Just(0xff), any::<u8>()], 0..400),
    ) {
        use alloy_sol_types::SolInterface;
        let selectors: Vec<[u8; 4]> = match which {
            0 => openledger_abi::IDatanets::IDatanetsCalls::selectors().collect(),
            1 => openledger_abi::IAttribution::IAttributionCalls::selectors().collect(),
            _ => openledger_abi::IPayouts::IPayoutsCalls::selectors().collect(),
        };
        let data = [selectors[pick.index(selectors.len())].as_slice(), &tail].concat();
        let mut w = World::with_model();
        let how = openledger_precompiles::Call {
            caller: ALICE,
            value: U256::ZERO,
            is_static: false,
            is_direct: true,
        };
        let _ = w.raw(openledger_precompiles::Precompile::ALL[which], how, 1_000_000, &data);
    }
}
