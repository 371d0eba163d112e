//! The way from the EVM into the precompiles.

use crate::frame::{Call, EvmBackend, Failure, Frame, Meter, Result};
use crate::{attribution, datanets, payouts};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, Bytes};
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use revm::context_interface::cfg::GasParams;
use revm::precompile::{
    PrecompileError, PrecompileHalt, PrecompileId, PrecompileOutput, PrecompileResult, PrecompileStatus,
};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precompile {
    /// Who contributed what, and under which licence.
    Datanets,
    /// Models, bonds and receipts.
    Attribution,
    /// Escrow, credits and claims.
    Payouts,
}

impl Precompile {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Datanets, Self::Attribution, Self::Payouts];

    /// Its address.
    pub const fn address(self) -> Address {
        match self {
            Self::Datanets => DATANETS,
            Self::Attribution => ATTRIBUTION,
            Self::Payouts => PAYOUTS,
        }
    }

    const fn id(self) -> PrecompileId {
        PrecompileId::Custom(std::borrow::Cow::Borrowed(match self {
            Self::Datanets => "openledger-datanets",
            Self::Attribution => "openledger-attribution",
            Self::Payouts => "openledger-payouts",
        }))
    }
}

/// Runs one call of a precompile on any backend.
///
/// # Errors
///
/// How the call failed; the caller undoes what it changed.
pub fn execute(precompile: Precompile, frame: &mut Frame<'_>, calldata: &[u8]) -> Result<Bytes> {
    match precompile {
        Precompile::Datanets => datanets::run(frame, calldata),
        Precompile::Attribution => attribution::run(frame, calldata),
        Precompile::Payouts => payouts::run(frame, calldata),
    }
}

/// Adds the three precompiles to an EVM, with the gas prices of its active fork: `cfg.gas_params().clone()`, or
/// `GasParams::new_spec(spec)`.
pub fn install(precompiles: &mut PrecompilesMap, gas_params: &GasParams) {
    for precompile in Precompile::ALL {
        let params = gas_params.clone();
        let run = move |input: PrecompileInput<'_>| call(precompile, &params, input);
        precompiles.apply_precompile(&precompile.address(), |_| {
            Some(DynPrecompile::new_stateful(precompile.id(), run))
        });
    }
}

fn call(precompile: Precompile, params: &GasParams, mut input: PrecompileInput<'_>) -> PrecompileResult {
    let call = Call {
        caller: input.caller,
        value: input.value,
        is_static: input.is_static_call(),
        is_direct: input.is_direct_call(),
    };
    let (calldata, gas, reservoir) = (input.data, input.gas, input.reservoir);
    let mut backend = EvmBackend(input.internals_mut());
    let mut frame = Frame::new(call, Meter::new(gas, params.clone()), &mut backend);
    let result = execute(precompile, &mut frame, calldata);
    let meter = frame.meter();
    match result {
        Ok(bytes) => Ok(PrecompileOutput {
            status: PrecompileStatus::Success,
            gas_used: meter.used(),
            gas_refunded: meter.refunded(),
            state_gas_used: 0,
            reservoir,
            bytes,
        }),
        Err(Failure::Revert(bytes)) => Ok(PrecompileOutput::revert(meter.used(), bytes, reservoir)),
        Err(Failure::OutOfGas) => Ok(PrecompileOutput::halt(PrecompileHalt::OutOfGas, reservoir)),
        Err(Failure::Fatal(error)) => Err(PrecompileError::Fatal(error)),
    }
}
