//! Solidity that is free in all but the service.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolValue, sol};
use eyre::{Result, ensure};
use openledger_shares::contribution_commitment;
use revm::state::{AccountInfo, Bytecode};

use crate::{
    machine::{Call, Machine, State},
    rows::{
        BOND, CONTRIBUTIONS, ESCROW, PRICE, Part, ROOT, SPLIT, Service, Stage, TAIL_PPM, TOKENS,
        UNATTRIBUTED_PPM, parts,
    },
    world::{ALICE, BOB, CHAIN, CURATOR, MODELLER, PAYER, PLATFORM, RICH},
};

sol! {
    function createDatanet() external returns (uint256 datanet);
    function publish(uint256 datanet, uint256 first, uint256 last, uint256 version, bytes32 root) external;
    function register(uint256 head, uint256 rates, bytes32 adapter, uint256[] calldata datasets) external payable;
    function commit(bytes32 commitment) external payable;
    function reveal(uint256 datanet, bytes32 root, bytes32 salt, uint256 rows, uint256 uses, uint256 expiry) external;
    function request(uint256 model, bytes32 promptHash, uint256 deadline) external payable returns (bytes32 id);
    function settle(bytes32 id, bytes32 answerHash, bytes32 scoreRoot, uint256 tokens, bytes calldata shares) external;
    function settleTail(
        bytes32 id, bytes32 answerHash, bytes32 scoreRoot, uint256 tokens, bytes calldata shares, bytes32 root, uint256 tail
    ) external;
    function draw(uint256[] calldata contributions) external;
    function claim() external;
    function lineageOf(bytes32 id, uint256 offset, uint256 limit) external;
}

/// Where it is.
const OWN: Address = Address::repeat_byte(0x60);

/// The contract `OwnLayout`.
#[derive(Debug)]
pub(crate) struct Own {
    stage: Stage,
    open: B256,
}

fn call(from: Address, value: u128, call: &impl SolCall) -> Call {
    Call::new(from, OWN, value, call)
}

fn request_at(time: u64, salt: u8) -> Call {
    let deadline = U256::from(time + 600);
    call(PAYER, ESCROW, &requestCall { model: U256::from(1), promptHash: B256::repeat_byte(salt), deadline })
}

/// Eight bytes a share.
fn packed(parts: &[Part]) -> Bytes {
    let mut bytes = Vec::with_capacity(8 * parts.len());
    let mut before = 0;
    for part in parts {
        let share = (part.contribution - before) << 48 | u64::from(part.row) << 24 | u64::from(part.ppm);
        before = part.contribution;
        bytes.extend(share.to_be_bytes());
    }
    bytes.into()
}

fn tokens() -> U256 {
    let [tokens_in, tokens_out] = TOKENS;
    U256::from(tokens_in) | U256::from(tokens_out) << 32 | U256::from(UNATTRIBUTED_PPM) << 64
}

fn settle(id: B256, parts: &[Part]) -> Call {
    let (answer, scores) = (B256::repeat_byte(5), B256::repeat_byte(6));
    let shares = packed(parts);
    call(MODELLER, 0, &settleCall { id, answerHash: answer, scoreRoot: scores, tokens: tokens(), shares })
}

fn draw(contributions: &[u64]) -> Call {
    call(BOB, 0, &drawCall { contributions: contributions.iter().map(|c| U256::from(*c)).collect() })
}

fn requested(machine: &mut Machine, request: &Call) -> Result<B256> {
    let run = machine.commit(request)?;
    Ok(B256::abi_decode(&run.output)?)
}

/// Contributions in two Datanets, published; a model on both, with a bond.
fn contributed() -> Result<Stage> {
    let mut state = State::default();
    for account in [CURATOR, ALICE, BOB, MODELLER, PAYER] {
        state.insert_account_info(account, AccountInfo::default().with_balance(U256::from(RICH)));
    }
    let code = crate::contest::deployed(include_str!("../../../contracts/artifacts/OwnLayout.json"))?;
    state.insert_account_info(OWN, AccountInfo::default().with_nonce(1).with_code(Bytecode::new_raw(code)));
    state.insert_account_storage(OWN, U256::ZERO, PLATFORM.into_word().into())?;
    let stage = Stage { state, number: 100, time: 10_000 };
    let half = CONTRIBUTIONS / 2;
    let owner = |n: u64| if n <= half { (ALICE, 1) } else { (BOB, 2) };
    let mut calls = vec![call(CURATOR, 0, &createDatanetCall {}); 2];
    for n in 1..=CONTRIBUTIONS {
        let (account, datanet) = owner(n);
        let commitment = contribution_commitment(CHAIN, datanet, account, U256::from(n).into(), B256::ZERO);
        calls.push(call(account, 1_000, &commitCall { commitment }));
    }
    let stage = stage.after(&calls)?;
    let mut calls = Vec::new();
    for n in 1..=CONTRIBUTIONS {
        let (account, datanet) = owner(n);
        let reveal = revealCall {
            datanet: U256::from(datanet),
            root: U256::from(n).into(),
            salt: B256::ZERO,
            rows: U256::from(100),
            uses: U256::from(3),
            expiry: U256::ZERO,
        };
        calls.push(call(account, 0, &reveal));
    }
    for (datanet, first, last) in [(1, 1, half), (2, half + 1, CONTRIBUTIONS)] {
        let publish = publishCall {
            datanet: U256::from(datanet),
            first: U256::from(first),
            last: U256::from(last),
            version: U256::from(1),
            root: B256::repeat_byte(7),
        };
        calls.push(call(CURATOR, 0, &publish));
    }
    let [platform, model, stakers] = SPLIT.map(U256::from);
    let [per_token_in, per_token_out, platform_fee] = PRICE.map(U256::from);
    let dataset = |datanet: u64| U256::from(datanet | 1 << 24 | 500_000 << 44);
    let register = registerCall {
        head: platform << 200 | model << 216 | stakers << 232 | U256::from(2) << 248,
        rates: per_token_in | per_token_out << 72 | platform_fee << 144,
        adapter: B256::repeat_byte(2),
        datasets: vec![dataset(1) | dataset(2) << 64],
    };
    calls.push(call(MODELLER, BOND, &register));
    stage.after(&calls)
}

impl Own {
    pub(crate) fn new() -> Result<Self> {
        let stage = contributed()?;
        let mut machine = stage.machine()?;
        let whole = parts(CONTRIBUTIONS, 1_000_000 - UNATTRIBUTED_PPM);
        let first = requested(&mut machine, &request_at(stage.time, 1))?;
        machine.commit(&settle(first, &whole))?;
        machine.commit(&draw(&(1..=CONTRIBUTIONS).collect::<Vec<_>>()))?;
        let second = requested(&mut machine, &request_at(stage.time, 2))?;
        machine.commit(&settle(second, &whole))?;
        let open = requested(&mut machine, &request_at(stage.time, 3))?;
        ensure!(open != second, "requests are not told apart");
        Ok(Self { stage: Stage { state: machine.state(), ..stage }, open })
    }
}

impl Service for Own {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn commit(&self) -> Call {
        let commitment = contribution_commitment(CHAIN, 1, ALICE, ROOT, B256::ZERO);
        call(ALICE, 1_000, &commitCall { commitment })
    }

    fn reveal(&self) -> Call {
        let reveal = revealCall {
            datanet: U256::from(1),
            root: ROOT,
            salt: B256::ZERO,
            rows: U256::from(100),
            uses: U256::from(3),
            expiry: U256::ZERO,
        };
        call(ALICE, 0, &reveal)
    }

    fn settle(&self, parts: &[Part]) -> Call {
        settle(self.open, parts)
    }

    fn settle_tail(&self, parts: &[Part], leaves: u32) -> Call {
        let tail = settleTailCall {
            id: self.open,
            answerHash: B256::repeat_byte(5),
            scoreRoot: B256::repeat_byte(6),
            tokens: tokens(),
            shares: packed(parts),
            root: B256::repeat_byte(8),
            tail: U256::from(TAIL_PPM) | U256::from(leaves) << 32,
        };
        call(MODELLER, 0, &tail)
    }

    fn draw(&self, contributions: &[u64]) -> Call {
        draw(contributions)
    }

    fn claim(&self) -> Call {
        call(ALICE, 0, &claimCall {})
    }

    fn lineage(&self) -> Call {
        let (offset, limit) = (U256::ZERO, U256::from(256));
        call(BOB, 0, &lineageOfCall { id: self.open, offset, limit })
    }
}
