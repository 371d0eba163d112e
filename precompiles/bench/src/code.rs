//! EVM bytecode, put together by hand.

use alloy_primitives::{Address, Bytes, U256};

/// Bytecode that grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code(pub(crate) Vec<u8>);

impl Code {
    pub(crate) fn op(&mut self, ops: &[u8]) -> &mut Self {
        self.0.extend_from_slice(ops);
        self
    }

    /// The shortest push of a value.
    pub(crate) fn push(&mut self, value: impl Into<Value>) -> &mut Self {
        let Value(value) = value.into();
        let bytes = value.to_be_bytes_trimmed_vec();
        self.0.push(0x5f + bytes.len() as u8);
        self.0.extend_from_slice(&bytes);
        self
    }

    /// A jump to a place that is not known yet, where the top of the stack is not zero; [`Self::land`] says where.
    pub(crate) fn jump_if(&mut self) -> usize {
        self.op(&[0x62, 0, 0, 0, 0x57]);
        self.0.len() - 4
    }

    pub(crate) fn land(&mut self, jump: usize) -> &mut Self {
        let target = (self.0.len() as u32).to_be_bytes();
        self.0[jump..jump + 3].copy_from_slice(&target[1..]);
        self.op(&[0x5b])
    }

    /// Goes round as often as the top of the stack says, and takes that away; `body` leaves the stack as it found it.
    pub(crate) fn repeat(&mut self, body: impl FnOnce(&mut Self)) -> &mut Self {
        let top = self.0.len();
        let end = self.op(&[0x5b, 0x80, 0x15]).jump_if();
        body(self);
        self.op(&[0x60, 1, 0x90, 0x03]).push(top as u64).op(&[0x56]);
        self.land(end).op(&[0x50])
    }
}

/// What is pushed.
#[derive(Debug)]
pub(crate) struct Value(U256);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self(U256::from(value))
    }
}

impl From<U256> for Value {
    fn from(value: U256) -> Self {
        Self(value)
    }
}

impl From<Address> for Value {
    fn from(value: Address) -> Self {
        Self(value.into_word().into())
    }
}

/// A contract that makes the call that follows in its calldata, as often as calldata's first word says; from the second
/// time on with `more` bytes after it. Called with nothing it does nothing.
pub(crate) fn caller(to: Address, value: U256, more: u64) -> Vec<u8> {
    let mut code = Code::default();
    let called = code.op(&[0x36]).jump_if();
    let code = code.op(&[0x00]).land(called);
    // balance(to), so that it is warm; calldatacopy(0, 32, calldatasize - 32)
    code.push(to).op(&[0x31, 0x50, 0x60, 32, 0x36, 0x03, 0x60, 32, 0x5f, 0x37]);
    let call = |code: &mut Code, more: u64| {
        code.op(&[0x5f, 0x5f]).push(more).op(&[0x60, 32, 0x36, 0x03, 0x01, 0x5f]);
        code.push(value).push(to).op(&[0x5a, 0xf1, 0x50]);
    };
    let some = code.op(&[0x5f, 0x35, 0x80]).jump_if();
    code.op(&[0x00]).land(some);
    call(code, 0);
    code.op(&[0x60, 1, 0x90, 0x03]).repeat(|code| call(code, more)).op(&[0x00]);
    std::mem::take(&mut code.0)
}

/// Calldata of such contracts.
pub(crate) fn times(count: u64, data: &[u8]) -> Bytes {
    [&U256::from(count).to_be_bytes::<32>(), data].concat().into()
}
