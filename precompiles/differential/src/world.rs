//! Genesis of both worlds, and who lives in them.

use crate::side::{Ending, Memory, Side};
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_sol_types::SolInterface;
use openledger_abi::{
    ATTRIBUTION, CLAIM_ROUTER, CONTRIBUTION_TOKEN, COURT, DATANET_TOKEN, DATANETS, IAttribution, IDatanets,
    IPayouts, PAYOUTS,
};
use openledger_precompiles::{CODE, Parameters, genesis_storage};
use revm::database::EmptyDB;
use revm::state::{AccountInfo, Bytecode};
use std::sync::LazyLock;

/// The chain identifier.
pub const CHAIN: u64 = 901;
/// The first block's number.
pub const FIRST_BLOCK: u64 = 1_000;
/// The first block's timestamp in seconds.
pub const FIRST_SECOND: u64 = 1_000_000;
/// Wei that a commitment takes.
pub const DEPOSIT: u64 = 1_000;
/// Blocks in which a commitment is to be revealed.
pub const REVEAL_WINDOW: u64 = 20;
/// Seconds for which a receipt may be challenged.
pub const CHALLENGE_WINDOW: u64 = 300;
/// Seconds from a request to its deadline.
pub const DEADLINES: (u64, u64) = (10, 5_000);
/// Earns the platform's part.
pub const PLATFORM: Address = Address::repeat_byte(0xf0);
/// Everybody's wei at genesis.
pub const RICH: u128 = 1 << 120;

/// Ordinary people; the first few have keys.
pub const PEOPLE: [Address; 8] = {
    let mut people = [Address::ZERO; 8];
    let mut n = 0;
    while n < 8 {
        people[n] = Address::repeat_byte(0xa0 + n as u8);
        n += 1;
    }
    people
};

/// Contracts at genesis that the precompiles listen to.
pub const OFFICES: [Address; 4] = [DATANET_TOKEN, CONTRIBUTION_TOKEN, CLAIM_ROUTER, COURT];

/// A contract that receives tokens, and then calls whom the transfer's data says: an address, and calldata. It logs whether
/// that succeeded, and what it returned then. Money it takes without a word.
pub const PUPPET: Address = Address::repeat_byte(0xbb);

/// Stops where there is no calldata. Copies the data after its first 20 bytes, calls these, and logs; returns
/// `onERC721Received`'s selector.
const PUPPET_CODE: [u8; 54] = hex!(
    "36600557005b60a43560601c6014608435038060b85f375f5f825f5f865af13d5f5f3e803d025fa163150b7a0260e01b5f5260205ff3"
);

/// Takes money without a word, as the precompiles pay, and else does what the code at another address does.
fn front(code: Address) -> Vec<u8> {
    let mut front = hex!("36600557005b365f5f375f5f365f73").to_vec();
    front.extend(code);
    front.extend(hex!("5af43d5f5f3e602f573d5ffd5b3d5ff3"));
    front
}

/// Wei that a challenge stakes.
pub const COURT_STAKE: u64 = 5_000;
/// Wei that an appeal takes.
pub const COURT_BOND: u64 = 7_000;
/// Blocks for evidence, for a vote, and for an appeal.
const COURT_PERIODS: (u64, u64, u64) = (20, 20, 20);

/// The court's deployed code, which its constructor makes.
fn court() -> Vec<u8> {
    let artifact = include_str!("../../../contracts/artifacts/Court.json");
    let (evidence, vote, appeal) = COURT_PERIODS;
    let parameters = [COURT_STAKE, COURT_BOND, evidence, vote, appeal].map(U256::from);
    let mut code = code_of(artifact, "bytecode");
    code.extend(parameters.iter().flat_map(|parameter| parameter.to_be_bytes::<32>()));
    Side::new(Memory::new(EmptyDB::default()), false).create(code)
}

/// The façades, and where their code is.
fn facades() -> [(Address, Address, &'static str); 2] {
    [
        (
            DATANET_TOKEN,
            Address::repeat_byte(0xc1),
            include_str!("../../../contracts/artifacts/DatanetToken.json"),
        ),
        (
            CONTRIBUTION_TOKEN,
            Address::repeat_byte(0xc2),
            include_str!("../../../contracts/artifacts/ContributionToken.json"),
        ),
    ]
}

/// The parameters of both worlds.
pub fn parameters() -> Parameters {
    Parameters {
        commit_deposit: U256::from(DEPOSIT),
        reveal_window: REVEAL_WINDOW,
        challenge_window: CHALLENGE_WINDOW,
        platform: PLATFORM,
        minimum_deadline: DEADLINES.0,
        maximum_deadline: DEADLINES.1,
    }
}

fn genesis(code: impl Fn(Address) -> Bytecode) -> Memory {
    let mut state = Memory::new(EmptyDB::default());
    for (address, storage) in genesis_storage(&parameters()) {
        state.insert_account_info(address, AccountInfo::default().with_nonce(1).with_code(code(address)));
        for (slot, value) in storage {
            // An empty database answers every read, so that this cannot fail.
            let _ = state.insert_account_storage(address, slot.into(), value.into());
        }
    }
    let rich = || AccountInfo::default().with_balance(U256::from(RICH));
    for account in PEOPLE.iter().chain(&OFFICES).chain(&signers()) {
        state.insert_account_info(*account, rich());
    }
    let contract = |code: Vec<u8>| rich().with_nonce(1).with_code(Bytecode::new_raw(code.into()));
    state.insert_account_info(PUPPET, contract(PUPPET_CODE.to_vec()));
    for (facade, place, artifact) in facades() {
        state.insert_account_info(facade, contract(front(place)));
        state.insert_account_info(place, contract(deployed(artifact)));
    }
    let place = Address::repeat_byte(0xc3);
    state.insert_account_info(COURT, contract(front(place)));
    state.insert_account_info(place, contract(court()));
    state
}

/// Genesis with the precompiles.
pub fn with_precompiles() -> &'static Memory {
    static STATE: LazyLock<Memory> =
        LazyLock::new(|| genesis(|_| Bytecode::new_raw(Bytes::from_static(&CODE))));
    &STATE
}

/// Genesis with the reference contracts.
pub fn with_reference() -> &'static Memory {
    static STATE: LazyLock<Memory> = LazyLock::new(|| {
        genesis(|address| {
            let artifact = match address {
                DATANETS => include_str!("../../../contracts/artifacts/ReferenceDatanets.json"),
                ATTRIBUTION => include_str!("../../../contracts/artifacts/ReferenceAttribution.json"),
                _ => include_str!("../../../contracts/artifacts/ReferencePayouts.json"),
            };
            Bytecode::new_raw(deployed(artifact).into())
        })
    });
    &STATE
}

/// The deployed code of one of our own artifacts; empty, and so noticed by the first step, where that is damaged.
fn deployed(artifact: &str) -> Vec<u8> {
    code_of(artifact, "deployedBytecode")
}

fn code_of(artifact: &str, which: &str) -> Vec<u8> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(artifact).ok();
    let code = parsed.and_then(|artifact| Some(artifact[which].as_str()?.to_owned()));
    code.and_then(|code| hex::decode(code).ok()).unwrap_or_default()
}

/// A secret key of one of the people who can sign.
pub fn secret(n: usize) -> B256 {
    keccak256([n as u8 + 1])
}

/// Accounts that can sign.
pub fn signers() -> [Address; 3] {
    static SIGNERS: LazyLock<[Address; 3]> = LazyLock::new(|| [0, 1, 2].map(crate::signing::address));
    *SIGNERS
}

/// An ending with the error's name where an interface declares it.
pub fn name(ending: &Ending) -> String {
    let Ending::Revert(data) = ending else { return format!("{ending:?}") };
    let declared = IDatanets::IDatanetsErrors::abi_decode(data)
        .map(|error| format!("{error:?}"))
        .or_else(|_| IAttribution::IAttributionErrors::abi_decode(data).map(|error| format!("{error:?}")))
        .or_else(|_| IPayouts::IPayoutsErrors::abi_decode(data).map(|error| format!("{error:?}")))
        .or_else(|_| {
            openledger_precompiles::IPrecompile::IPrecompileErrors::abi_decode(data)
                .map(|error| format!("{error:?}"))
        });
    declared.unwrap_or_else(|_| format!("{ending:?}"))
}

/// The three contracts.
pub const CONTRACTS: [Address; 3] = [DATANETS, ATTRIBUTION, PAYOUTS];
