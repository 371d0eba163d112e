//! A chain in memory with the three precompiles: calls that fail leave it as it was.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod signing;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{Revert, SolCall, SolError, SolInterface};
use openledger_abi::IAttribution::*;
use openledger_abi::IDatanets::*;
use openledger_abi::{ATTRIBUTION, DATANETS, IAttribution, IDatanets, IPayouts, PAYOUTS};
use openledger_precompiles::IPrecompile::IPrecompileErrors;
use openledger_precompiles::{
    Call, Failure, Frame, MemoryBackend, Meter, Parameters, Precompile, execute, genesis_storage,
};
use openledger_shares::contribution_commitment;
use revm::context_interface::cfg::GasParams;
use revm::primitives::hardfork::SpecId;

pub const PLATFORM: Address = Address::repeat_byte(0xf0);
pub const CURATOR: Address = Address::repeat_byte(0xc0);
pub const ALICE: Address = Address::repeat_byte(0xa1);
pub const BOB: Address = Address::repeat_byte(0xb0);
pub const MODELLER: Address = Address::repeat_byte(0xd0);
pub const PAYER: Address = Address::repeat_byte(0xe0);
pub const CHAIN: u64 = 901;
pub const RICH: u128 = 1_000_000_000_000_000_000_000;

pub fn parameters() -> Parameters {
    Parameters {
        commit_deposit: U256::from(1_000),
        reveal_window: 10,
        challenge_window: 100,
        platform: PLATFORM,
        minimum_deadline: 60,
        maximum_deadline: 3_600,
    }
}

#[derive(Clone, Debug)]
pub struct World {
    pub state: MemoryBackend,
    pub gas_used: u64,
    pub gas_refunded: i64,
    pub gas_wanted: u64,
}

impl World {
    pub fn new() -> Self {
        let mut state = MemoryBackend { number: 100, time: 10_000, chain: CHAIN, ..MemoryBackend::default() };
        for (account, storage) in genesis_storage(&parameters()) {
            for (slot, value) in storage {
                state.storage.insert((account, slot.into()), value.into());
            }
        }
        for account in [CURATOR, ALICE, BOB, MODELLER, PAYER] {
            state.balances.insert(account, U256::from(RICH));
        }
        Self { state, gas_used: 0, gas_refunded: 0, gas_wanted: 0 }
    }

    pub fn raw(&mut self, to: Precompile, call: Call, gas: u64, data: &[u8]) -> Result<Bytes, Failure> {
        let before = self.state.clone();
        self.state.begin();
        // The sender and, as in these tests' EVM, the coinbase at the zero address.
        self.state.warm_accounts.extend([call.caller, Address::ZERO]);
        let mut meter = Meter::new(gas, GasParams::new_spec(SpecId::PRAGUE));
        let result = if openledger_precompiles::Backend::transfer(
            &mut self.state,
            call.caller,
            to.address(),
            call.value,
        )? {
            let mut frame = Frame::new(call, meter, &mut self.state);
            let result = execute(to, &mut frame, data);
            meter = frame.meter().clone();
            result
        } else {
            panic!("{} cannot send {}", call.caller, call.value)
        };
        (self.gas_used, self.gas_refunded, self.gas_wanted) =
            (meter.used(), meter.refunded(), meter.wanted());
        assert!(meter.used() <= gas);
        if let Err(failure) = &result {
            self.state = before;
            declared(to, failure);
        }
        result
    }

    pub fn call<C: SolCall>(&mut self, from: Address, value: u128, call: C) -> Result<C::Return, Failure> {
        let to = of::<C>();
        let how = Call { caller: from, value: U256::from(value), is_static: false, is_direct: true };
        let bytes = self.raw(to, how, 30_000_000, &call.abi_encode())?;
        Ok(C::abi_decode_returns_validate(&bytes).unwrap())
    }

    pub fn balance(&self, account: Address) -> U256 {
        self.state.balances.get(&account).copied().unwrap_or_default()
    }

    pub fn advance(&mut self, blocks: u64) {
        self.state.number += blocks;
        self.state.time += 2 * blocks;
    }

    pub fn commitment(&self, owner: Address, datanet: u64, root: B256) -> B256 {
        contribution_commitment(CHAIN, datanet, owner, root, B256::ZERO)
    }

    pub fn contribute(&mut self, owner: Address, datanet: u64, rows: u32, licence: u16, expiry: u64) -> u64 {
        let root = B256::from(U256::from(self.state.storage.len()));
        let commitment = self.commitment(owner, datanet, root);
        self.call(owner, 1_000, commitCall { commitment }).unwrap();
        self.advance(1);
        self.call(owner, 0, revealCall { datanet, root, salt: B256::ZERO, rows, licence, expiry }).unwrap()
    }

    pub fn publish(&mut self, datanet: u64, contributions: &[u64]) -> Result<u32, Failure> {
        let contributions = contributions.to_vec();
        let call =
            publishVersionCall { datanet, contributions, clusterRoot: B256::repeat_byte(7), clusters: 1 };
        self.call(CURATOR, 0, call)
    }

    pub fn datanet(&mut self) -> u64 {
        let call = createDatanetCall {
            schemaHash: B256::repeat_byte(9),
            domain: "law".into(),
            metadataURI: "ipfs://a-metadata-uri-that-is-longer-than-one-word".into(),
        };
        self.call(CURATOR, 0, call).unwrap()
    }

    /// Two Datanets with one contribution each, a model on both, a bond.
    pub fn with_model() -> Self {
        let mut world = Self::new();
        for (owner, rows) in [(ALICE, 10), (BOB, 20)] {
            let datanet = world.datanet();
            let contribution = world.contribute(owner, datanet, rows, 3, 0);
            world.publish(datanet, &[contribution]).unwrap();
        }
        world.call(MODELLER, 0, registerModelCall { spec: spec() }).unwrap();
        world.call(MODELLER, 1_000_000_000, bondCall {}).unwrap();
        world
    }

    pub fn request(&mut self, value: u128, salt: u8) -> Result<B256, Failure> {
        let deadline = self.state.time + 600;
        let call = IPayouts::requestCall { model: 1, promptHash: B256::repeat_byte(salt), deadline };
        self.call(PAYER, value, call)
    }

    pub fn settle(&mut self, receipt: Receipt) -> Result<(), Failure> {
        self.call(MODELLER, 0, settleCall { receipt }).map(drop)
    }

    pub fn credit(&mut self, account: Address) -> U256 {
        self.call(account, 0, IPayouts::creditOfCall { account }).unwrap()
    }
}

/// Who reads only the ABI of the called precompile can read what it reverts with.
#[track_caller]
fn declared(to: Precompile, failure: &Failure) {
    let Failure::Revert(data) = failure else { return };
    let by_interface = match to {
        Precompile::Datanets => IDatanets::IDatanetsErrors::abi_decode_validate(data).is_ok(),
        Precompile::Attribution => IAttribution::IAttributionErrors::abi_decode_validate(data).is_ok(),
        Precompile::Payouts => IPayouts::IPayoutsErrors::abi_decode_validate(data).is_ok(),
    };
    let by_frame = IPrecompileErrors::abi_decode_validate(data).is_ok();
    let readable = data.is_empty() || by_interface || by_frame || Revert::abi_decode_validate(data).is_ok();
    assert!(readable, "{to:?} does not declare the error {data}");
}

pub fn of<C: SolCall>() -> Precompile {
    if openledger_abi::IDatanets::IDatanetsCalls::valid_selector(C::SELECTOR) {
        Precompile::Datanets
    } else if openledger_abi::IAttribution::IAttributionCalls::valid_selector(C::SELECTOR) {
        Precompile::Attribution
    } else {
        Precompile::Payouts
    }
}

pub fn spec() -> ModelSpec {
    ModelSpec {
        base: B256::repeat_byte(1),
        adapterHash: B256::repeat_byte(2),
        trainingHash: B256::repeat_byte(3),
        method: B256::repeat_byte(4),
        bandPpm: 100,
        price: openledger_abi::IAttribution::Price { perTokenIn: 7, perTokenOut: 31, platformFee: 1_001 },
        split: openledger_abi::IAttribution::Split {
            platform: 500,
            model: 2_500,
            stakers: 1_000,
            contributors: 6_000,
        },
        datasets: vec![DatasetRef { datanet: 1, version: 1 }, DatasetRef { datanet: 2, version: 1 }],
        metadataURI: "ipfs://model".into(),
    }
}

pub fn share(contribution: u64, row: u32, ppm: u32) -> ClusterShare {
    ClusterShare { contribution, row, ppm }
}

pub fn receipt(request: B256, unattributed: u32, shares: Vec<ClusterShare>) -> Receipt {
    Receipt {
        requestId: request,
        answerHash: B256::repeat_byte(5),
        scoreRoot: B256::repeat_byte(6),
        tokensIn: 100,
        tokensOut: 33,
        unattributedPpm: unattributed,
        shares,
    }
}

pub fn good(request: B256) -> Receipt {
    receipt(request, 100_001, vec![share(1, 0, 333_333), share(1, 9, 333_333), share(2, 19, 233_333)])
}

#[track_caller]
pub fn reverts<T>(result: Result<T, Failure>, error: impl SolError) {
    assert_eq!(result.err(), Some(Failure::Revert(error.abi_encode().into())));
}

/// What the precompiles hold equals what they owe.
pub fn total_held(world: &World) -> [U256; 3] {
    [DATANETS, ATTRIBUTION, PAYOUTS].map(|account| world.balance(account))
}
