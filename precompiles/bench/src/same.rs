//! The precompiles, and Solidity with their layout, on the same state.

use alloy_primitives::{Address, B256, U256, keccak256};
use eyre::{Result, eyre};
use openledger_abi::{
    ATTRIBUTION, DATANETS,
    IAttribution::{self, ClusterShare, Receipt, Tail, bondCall, lineageOfCall, settleCall, settleTailCall},
    IDatanets::{commitCall, revealCall},
    IPayouts::{claimCall, drawCall},
    PAYOUTS,
};
use revm::state::{AccountInfo, Bytecode};

use crate::{
    machine::{Call, state_of},
    rows::{
        BOND, CONTRIBUTIONS, ESCROW, PRICE, Part, ROOT, SPLIT, Service, Stage, TAIL_PPM, TOKENS,
        UNATTRIBUTED_PPM, parts,
    },
    world::{ALICE, BOB, CURATOR, MODELLER, PAYER, PLATFORM, World, spec},
};

/// Where the Solidity is.
const SAME: Address = Address::repeat_byte(0x5a);

/// The interface of the precompiles, at their addresses or all at one.
#[derive(Debug)]
pub(crate) struct Interface {
    stage: Stage,
    open: B256,
    commitment: B256,
    at: Option<Address>,
}

fn receipt(request: B256, parts: &[Part]) -> Receipt {
    let shares = parts.iter();
    let shares = shares.map(|&Part { contribution, row, ppm }| ClusterShare { contribution, row, ppm });
    let [tokens_in, tokens_out] = TOKENS;
    Receipt {
        requestId: request,
        answerHash: B256::repeat_byte(5),
        scoreRoot: B256::repeat_byte(6),
        tokensIn: tokens_in,
        tokensOut: tokens_out,
        unattributedPpm: UNATTRIBUTED_PPM,
        shares: shares.collect(),
    }
}

/// The world that both start with, and its open request.
fn world() -> Result<(World, B256, B256)> {
    let mut world = World::new();
    let failed = |failure| eyre!("the world cannot be made: {failure:?}");
    for owner in [ALICE, BOB] {
        let datanet = world.datanet();
        let contributions: Vec<u64> =
            (0..CONTRIBUTIONS / 2).map(|_| world.contribute(owner, datanet, 100, 3, 0)).collect();
        world.publish(datanet, &contributions).map_err(failed)?;
    }
    let mut spec = spec();
    let [per_token_in, per_token_out, platform_fee] = PRICE;
    spec.price = IAttribution::Price {
        perTokenIn: per_token_in,
        perTokenOut: per_token_out,
        platformFee: platform_fee,
    };
    let [platform, model, stakers] = SPLIT;
    let contributors = 10_000 - platform - model - stakers;
    spec.split = IAttribution::Split { platform, model, stakers, contributors };
    world.call(MODELLER, 0, IAttribution::registerModelCall { spec }).map_err(failed)?;
    world.call(MODELLER, BOND, bondCall {}).map_err(failed)?;
    let first = world.request(ESCROW, 1).map_err(failed)?;
    let whole = parts(CONTRIBUTIONS, 1_000_000 - UNATTRIBUTED_PPM);
    world.settle(receipt(first, &whole)).map_err(failed)?;
    let all: Vec<u64> = (1..=CONTRIBUTIONS).collect();
    for some in all.chunks(64) {
        // Their owners have been owed before; what they earned then is drawn and they earn again.
        world.call(ALICE, 0, drawCall { contributions: some.to_vec() }).map_err(failed)?;
    }
    let second = world.request(ESCROW, 2).map_err(failed)?;
    world.settle(receipt(second, &whole)).map_err(failed)?;
    let open = world.request(ESCROW, 3).map_err(failed)?;
    Ok((world, second, open))
}

/// `mapping[key]` of the mapping at `slot`.
fn entry(slot: u64, key: impl Into<U256>) -> U256 {
    keccak256([key.into().to_be_bytes::<32>(), U256::from(slot).to_be_bytes::<32>()].concat()).into()
}

fn entry_in(slot: U256, key: impl Into<U256>) -> U256 {
    keccak256([key.into().to_be_bytes::<32>(), slot.to_be_bytes::<32>()].concat()).into()
}

impl Interface {
    /// The precompiles.
    pub(crate) fn precompiles() -> Result<Self> {
        let (world, _, open) = world()?;
        let state = state_of(&world.state)?;
        let stage = Stage { state, number: world.state.number, time: world.state.time };
        Ok(Self { stage, open, commitment: world.commitment(ALICE, 1, ROOT), at: None })
    }

    /// Solidity with the same layout: what the settlements need of the three accounts' storage is moved into its one.
    pub(crate) fn solidity() -> Result<Self> {
        let (world, settled, open) = world()?;
        let mut state = state_of(&world.state)?;
        let code = crate::contest::deployed(include_str!("../../../contracts/artifacts/SameLayout.json"))?;
        let wei = [DATANETS, ATTRIBUTION, PAYOUTS].map(|account| world.balance(account)).into_iter().sum();
        let code = Bytecode::new_raw(code);
        state.insert_account_info(
            SAME,
            AccountInfo::default().with_balance(wei).with_nonce(1).with_code(code),
        );
        let word = |account: Address, slot: U256| {
            world.state.storage.get(&(account, slot)).copied().unwrap_or_default()
        };
        // The array of earners, the last of the Datanets' variables, would lie over the others' slots.
        let (first, aside) = (U256::from(21), (U256::ONE << 64) - U256::from(21));
        let earners = first..first + (U256::ONE << 40);
        let mut moved: Vec<(U256, U256)> = world
            .state
            .storage
            .iter()
            .filter(|((account, _), _)| *account == DATANETS)
            .map(|((_, slot), value)| (if earners.contains(slot) { *slot + aside } else { *slot }, *value))
            .collect();
        let mut take = |account: Address, from: U256, to: U256, slots: u64| {
            for n in 0..slots {
                moved.push((to.wrapping_add(U256::from(n)), word(account, from.wrapping_add(U256::from(n)))));
            }
        };
        take(ATTRIBUTION, U256::ZERO, U256::from(100), 1);
        take(PAYOUTS, U256::ZERO, U256::from(200), 2);
        let modeller = U256::from_be_bytes(MODELLER.into_word().0);
        let model = U256::from(1);
        for (slot, key, slots) in [
            (1, model, 16),
            (3, modeller, 3),
            (4, modeller, 32),
            (5, settled.into(), 5),
            (6, settled.into(), 64),
            (7, model, 8),
        ] {
            take(ATTRIBUTION, entry(slot, key), entry(100 + slot, key), slots);
        }
        take(ATTRIBUTION, entry_in(entry(2, model), modeller), entry_in(entry(102, model), modeller), 1);
        for request in [settled, open] {
            take(PAYOUTS, entry(2, request), entry(202, request), 3);
        }
        for account in [PLATFORM, CURATOR, ALICE, BOB, MODELLER, PAYER] {
            let key = account.into_word();
            take(PAYOUTS, entry(3, key), entry(203, key), 1);
        }
        for (slot, value) in moved {
            state.insert_account_storage(SAME, slot, value)?;
        }
        let stage = Stage { state, number: world.state.number, time: world.state.time };
        Ok(Self { stage, open, commitment: world.commitment(ALICE, 1, ROOT), at: Some(SAME) })
    }

    fn at(&self, precompile: Address) -> Address {
        self.at.unwrap_or(precompile)
    }
}

impl Service for Interface {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn commit(&self) -> Call {
        Call::new(ALICE, self.at(DATANETS), 1_000, &commitCall { commitment: self.commitment })
    }

    fn reveal(&self) -> Call {
        let reveal =
            revealCall { datanet: 1, root: ROOT, salt: B256::ZERO, rows: 100, licence: 3, expiry: 0 };
        Call::new(ALICE, self.at(DATANETS), 0, &reveal)
    }

    fn settle(&self, parts: &[Part]) -> Call {
        let receipt = receipt(self.open, parts);
        Call::new(MODELLER, self.at(ATTRIBUTION), 0, &settleCall { receipt })
    }

    fn settle_tail(&self, parts: &[Part], leaves: u32) -> Call {
        let receipt = receipt(self.open, parts);
        let tail = Tail { root: B256::repeat_byte(8), ppm: TAIL_PPM, leaves };
        Call::new(MODELLER, self.at(ATTRIBUTION), 0, &settleTailCall { receipt, tail })
    }

    fn draw(&self, contributions: &[u64]) -> Call {
        Call::new(BOB, self.at(PAYOUTS), 0, &drawCall { contributions: contributions.to_vec() })
    }

    fn claim(&self) -> Call {
        Call::new(ALICE, self.at(PAYOUTS), 0, &claimCall {})
    }

    fn lineage(&self) -> Call {
        let (offset, limit) = (U256::ZERO, U256::from(256));
        Call::new(BOB, self.at(ATTRIBUTION), 0, &lineageOfCall { requestId: self.open, offset, limit })
    }
}
