//! What a precompile's functions are: for each selector what it may do, which fork brings it, and the code behind it.

use super::{ActiveForks, Frame, Result};
use alloy_primitives::Bytes;
use alloy_sol_types::SolCall;
use alloy_sol_types::abi::{AbiDecoderConfig, TokenSeq, encode_sequence};
use openledger_chainspec::OpenLedgerHardfork;
use std::fmt;

/// What a function may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purity {
    /// Reads nothing.
    Pure,
    /// Changes nothing.
    View,
    /// Takes no value.
    Write,
    /// Takes value.
    Payable,
}

impl Purity {
    /// Whether a function of this kind may change the state.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Payable)
    }
}

/// Decodes the arguments, runs the function and encodes what it returns.
pub(crate) type Run = fn(&mut Frame<'_>, &[u8]) -> Result<Bytes>;

/// A function of a precompile.
#[derive(Clone, Copy)]
pub struct Function {
    /// The first four bytes of its calldata.
    pub selector: [u8; 4],
    /// Its name and argument types.
    pub signature: &'static str,
    /// What it may do.
    pub purity: Purity,
    /// The fork that brings it.
    pub since: OpenLedgerHardfork,
    /// The fork that takes it away, or replaces it by another entry with the same selector.
    pub until: Option<OpenLedgerHardfork>,
    pub(crate) run: Run,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("signature", &self.signature)
            .field("purity", &self.purity)
            .field("since", &self.since)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// Whether the function is there under `forks`.
    pub const fn is_active(&self, forks: ActiveForks) -> bool {
        forks.has(self.since)
            && match self.until {
                Some(fork) => !forks.has(fork),
                None => true,
            }
    }
}

/// The functions of a precompile.
pub(crate) struct Table {
    /// Each function's selector, side by side: a call looks through them, and then at one function alone.
    pub(crate) selectors: &'static [[u8; 4]],
    pub(crate) functions: &'static [Function],
}

impl Table {
    /// The function with `selector` that is there under `forks`.
    pub(crate) fn find(&self, selector: [u8; 4], forks: ActiveForks) -> Option<&'static Function> {
        let named = self.selectors.iter().zip(self.functions).filter(|(known, _)| **known == selector);
        named.map(|(_, function)| function).find(|function| function.is_active(forks))
    }
}

/// The selectors of `N` functions.
pub(crate) const fn selectors<const N: usize>(functions: &[Function]) -> [[u8; 4]; N] {
    let (mut selectors, mut n) = ([[0; 4]; N], 0);
    while n < N {
        selectors[n] = functions[n].selector;
        n += 1;
    }
    selectors
}

/// How many of the active forks brought or took away a function: 0 before the first.
pub(crate) fn abi_version(functions: &[Function], forks: ActiveForks) -> u32 {
    let changes = |fork: &OpenLedgerHardfork| {
        functions.iter().any(|function| function.since == *fork || function.until == Some(*fork))
    };
    let active = OpenLedgerHardfork::VARIANTS.iter().filter(|fork| forks.has(**fork));
    active.filter(|fork| changes(fork)).map(|_| 1).sum()
}

/// Lists functions: `<purity> <call> since <fork> [until <fork>] gives|does <handler>;`, where a handler takes the frame
/// and the decoded call; what `gives` returns a value, what `does` returns none.
macro_rules! functions {
    ($($purity:ident $call:ident since $since:ident $(until $until:ident)? $how:ident $handler:expr;)*) => {{
        const ALL: &[$crate::frame::Function] = &[$($crate::frame::Function {
            selector: <$call as ::alloy_sol_types::SolCall>::SELECTOR,
            signature: <$call as ::alloy_sol_types::SolCall>::SIGNATURE,
            purity: $crate::frame::Purity::$purity,
            since: ::openledger_chainspec::OpenLedgerHardfork::$since,
            until: functions!(@until $($until)?),
            run: |frame, arguments| $crate::frame::$how::<$call>(frame, arguments, $handler),
        }),*];
        static SELECTORS: [[u8; 4]; ALL.len()] = $crate::frame::selectors(ALL);
        $crate::frame::Table { selectors: &SELECTORS, functions: ALL }
    }};
    (@until) => { None };
    (@until $until:ident) => { Some(::openledger_chainspec::OpenLedgerHardfork::$until) };
}

/// Decodes as Solidity's decoder (ABI coder v2) does: refused without data are heads and tails that end early, and
/// values with dirty high bits; accepted are bytes after the end, what fills up the last word of a string or `bytes`, and
/// tails in any order. Two things are refused that Solidity would accept: a string that is no UTF-8, and tails that
/// overlap so much that more is decoded than was sent.
fn decode<C: SolCall>(arguments: &[u8]) -> Result<C> {
    let config = AbiDecoderConfig::new()
        .validate(true)
        .validate_allow_trailing_bytes(true)
        .memory_limit(arguments.len());
    C::abi_decode_raw_with_config(arguments, config).map_err(|_| super::Failure::empty())
}

/// Words that the tokens take, encoded one after the other as return data and logs are.
pub(super) fn sequence_words<'a, T: TokenSeq<'a>>(tokens: &T) -> usize {
    // A sequence that is an element of another one would stand behind an offset; its own words are the same.
    if T::DYNAMIC { tokens.tail_words() } else { tokens.head_words() }
}

/// A function that returns something.
pub(crate) fn gives<C: SolCall>(
    frame: &mut Frame<'_>,
    arguments: &[u8],
    handler: fn(&mut Frame<'_>, C) -> Result<C::Return>,
) -> Result<Bytes> {
    let returns = handler(frame, decode(arguments)?)?;
    // Tokens hold what the handler paid for; the bytes are written once they are paid for too.
    let tokens = C::tokenize_returns(&returns);
    frame.charge_encode(32 * sequence_words(&tokens))?;
    Ok(encode_sequence(&tokens).into())
}

/// A function that returns nothing.
pub(crate) fn does<C: for<'a> SolCall<ReturnTuple<'a> = ()>>(
    frame: &mut Frame<'_>,
    arguments: &[u8],
    handler: fn(&mut Frame<'_>, C) -> Result<()>,
) -> Result<Bytes> {
    handler(frame, decode(arguments)?)?;
    Ok(Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U256};
    use openledger_abi::IAttribution::{self, *};
    use openledger_abi::IDatanets::{self, *};

    /// What is charged for, and what is written.
    #[track_caller]
    fn charged_is_written<C: SolCall>(returns: &C::Return) {
        let words = sequence_words(&C::tokenize_returns(returns));
        assert_eq!(32 * words, C::abi_encode_returns(returns).len(), "{}", C::SIGNATURE);
    }

    #[test]
    fn words_charged_for_are_the_words_written() {
        charged_is_written::<commitCall>(&7);
        charged_is_written::<commitmentOfCall>(&commitmentOfReturn::default());
        charged_is_written::<versionOfCall>(&Version::default());
        for length in [0, 1, 31, 32, 33, 256] {
            let uri = "u".repeat(length);
            charged_is_written::<datanetOfCall>(&Datanet { metadataURI: uri.clone(), ..Datanet::default() });
            let datasets = vec![IAttribution::DatasetRef::default(); length % 17];
            let spec = ModelSpec { metadataURI: uri, datasets: datasets.clone(), ..ModelSpec::default() };
            charged_is_written::<modelOfCall>(&Model { spec, ..Model::default() });
            charged_is_written::<ownersOfCall>(&vec![IDatanets::OwnerShare::default(); length]);
            let lineage = Lineage {
                datasets,
                datasetRoots: vec![B256::ZERO; length % 17],
                entries: vec![LineageEntry::default(); length],
                ..Lineage::default()
            };
            charged_is_written::<lineageOfCall>(&lineage);
            let page = receiptsOfModelReturn { total: U256::ONE, requestIds: vec![B256::ZERO; length] };
            charged_is_written::<receiptsOfModelCall>(&page);
            let ancestors = vec![Ancestor::default(); length % 17];
            charged_is_written::<ancestorsOfCall>(&ancestorsOfReturn { depth: 1, ancestors });
        }
    }
}
