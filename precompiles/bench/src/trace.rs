//! What a call does, written down as it does it, and a contract that does the same.

use alloy_primitives::{Address, B256, Log, U256, b256, hex};
use openledger_precompiles::{Backend, Loaded, MemoryBackend, Precompile, Result, Work};
use revm::interpreter::SStoreResult;

use crate::code::Code;

/// One thing that a call does to the state, or computes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Load(U256),
    Store(U256, U256),
    Pay(Address, U256),
    Log(Log),
    Work(Work),
}

/// A state that writes down what is done with it.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) state: MemoryBackend,
    pub(crate) steps: Vec<Step>,
    payee: Option<Address>,
}

impl Tracer {
    pub(crate) const fn new(state: MemoryBackend) -> Self {
        Self { state, steps: Vec::new(), payee: None }
    }
}

/// Where one contract keeps the slot of any of the three.
pub(crate) fn place(account: Address, slot: U256) -> U256 {
    let index = Precompile::ALL.iter().position(|precompile| precompile.address() == account);
    slot.wrapping_add(U256::from(index.unwrap_or_default()) << 248u32)
}

impl Backend for Tracer {
    fn sload(&mut self, account: Address, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>> {
        self.steps.push(Step::Load(place(account, slot)));
        self.state.sload(account, slot, skip_cold)
    }

    fn sstore(
        &mut self,
        account: Address,
        slot: U256,
        value: U256,
        skip_cold: bool,
    ) -> Result<Option<Loaded<SStoreResult>>> {
        self.steps.push(Step::Store(place(account, slot), value));
        self.state.sstore(account, slot, value, skip_cold)
    }

    fn is_empty(&mut self, account: Address, skip_cold: bool) -> Result<Option<Loaded<bool>>> {
        self.payee = Some(account);
        self.state.is_empty(account, skip_cold)
    }

    fn balance(&mut self, account: Address) -> Result<U256> {
        self.state.balance(account)
    }

    fn transfer(&mut self, from: Address, to: Address, wei: U256) -> Result<bool> {
        if self.payee.take() == Some(to) {
            self.steps.push(Step::Pay(to, wei));
        }
        self.state.transfer(from, to, wei)
    }

    fn log(&mut self, log: Log) {
        self.steps.push(Step::Log(log.clone()));
        self.state.log(log);
    }

    fn note(&mut self, work: Work) {
        self.steps.push(Step::Work(work));
    }

    fn block_number(&self) -> u64 {
        self.state.block_number()
    }

    fn timestamp(&self) -> u64 {
        self.state.timestamp()
    }

    fn chain_id(&self) -> u64 {
        self.state.chain_id()
    }
}

const DIGEST: B256 = b256!("0x18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c");
const R_AND_S: [u8; 64] = hex!(
    "73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75feeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549"
);

/// What a call did, and whether it succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) steps: Vec<Step>,
    pub(crate) success: bool,
}

/// A contract that does what the first trace did where it is called with `bytes` bytes, and what the second one did where
/// it is called with others: the steps one after the other, and nothing else.
pub(crate) fn twin(first: &Trace, again: &Trace, bytes: usize) -> Vec<u8> {
    let mut code = Code::default();
    let second = code.push(bytes as u64).op(&[0x36, 0x03]).jump_if();
    act(&mut code, first);
    code.land(second);
    act(&mut code, again);
    code.0
}

fn act(code: &mut Code, trace: &Trace) {
    for step in &trace.steps {
        match step {
            Step::Load(slot) => code.push(*slot).op(&[0x54, 0x50]),
            Step::Store(slot, value) => code.push(*value).push(*slot).op(&[0x55]),
            // call(0, to, wei, 0, 0, 0, 0)
            Step::Pay(to, wei) => {
                code.op(&[0x5f, 0x5f, 0x5f, 0x5f]).push(*wei).push(*to).op(&[0x5f, 0xf1, 0x50])
            }
            Step::Log(log) => {
                for topic in log.topics().iter().rev() {
                    code.push(U256::from_be_bytes(topic.0));
                }
                let topics = log.topics().len() as u8;
                code.push(log.data.data.len() as u64).op(&[0x5f, 0xa0 + topics])
            }
            // Word after word is read, and written elsewhere.
            Step::Work(Work::Decode(bytes) | Work::Encode(bytes)) => {
                for place in (0..*bytes as u64).step_by(32) {
                    code.push(place).op(&[0x35]).push(place).op(&[0x52]);
                }
                &mut *code
            }
            Step::Work(Work::Hash(bytes)) => code.push(*bytes as u64).op(&[0x5f, 0x20, 0x50]),
            Step::Work(Work::Recover) => recover(code),
        };
    }
    code.op(if trace.success { &[0x00] } else { &[0x5f, 0x5f, 0xfd] });
}

/// staticcall(gas, 1, 0, 128, 0, 32) with a good signature
pub(crate) fn recover(code: &mut Code) -> &mut Code {
    let (r, s) = R_AND_S.split_at(32);
    let words =
        [U256::from_be_bytes(DIGEST.0), U256::from(28), U256::from_be_slice(r), U256::from_be_slice(s)];
    for (place, word) in (0u64..).zip(words) {
        code.push(word).push(32 * place).op(&[0x52]);
    }
    code.op(&[0x60, 32, 0x5f, 0x60, 128, 0x5f, 0x60, 1, 0x5a, 0xfa, 0x50])
}

/// The memory's state in the contract's own slots.
pub(crate) fn slots(memory: &MemoryBackend) -> impl Iterator<Item = (U256, U256)> {
    memory.storage.iter().map(|((account, slot), value)| (place(*account, *slot), *value))
}
