//! The way from the EVM into the precompiles.

use crate::frame::{
    Activations, ActiveForks, Backend as _, Call, EvmBackend, Failure, Frame, Function, Meter, Result, Table,
    abi_version, dispatch,
};
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

    const fn table(self) -> &'static Table {
        match self {
            Self::Datanets => &datanets::FUNCTIONS,
            Self::Attribution => &attribution::FUNCTIONS,
            Self::Payouts => &payouts::FUNCTIONS,
        }
    }

    /// Its functions, of all forks.
    pub const fn functions(self) -> &'static [Function] {
        self.table().functions
    }

    /// The version of its ABI under `forks`: it grows by one with each fork that brings or takes away a function.
    pub fn abi_version(self, forks: ActiveForks) -> u32 {
        abi_version(self.functions(), forks)
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
    dispatch(frame, precompile.table(), calldata)
}

/// Adds the three precompiles to an EVM of a chain on which all of its own forks are active from genesis on, with the gas
/// prices of the active Ethereum fork: `cfg.gas_params().clone()`, or `GasParams::new_spec(spec)`.
pub fn install(precompiles: &mut PrecompilesMap, gas_params: &GasParams) {
    install_scheduled(precompiles, gas_params, &Activations::at_genesis());
}

/// The same for a chain whose own forks activate as `activations` says, by the block's timestamp.
pub fn install_scheduled(
    precompiles: &mut PrecompilesMap,
    gas_params: &GasParams,
    activations: &Activations,
) {
    for precompile in Precompile::ALL {
        let (params, activations) = (gas_params.clone(), activations.clone());
        let run = move |input: PrecompileInput<'_>| call(precompile, &params, &activations, input);
        precompiles.apply_precompile(&precompile.address(), |_| {
            Some(DynPrecompile::new_stateful(precompile.id(), run))
        });
    }
}

fn call(
    precompile: Precompile,
    params: &GasParams,
    activations: &Activations,
    mut input: PrecompileInput<'_>,
) -> PrecompileResult {
    let call = Call {
        caller: input.caller,
        value: input.value,
        is_static: input.is_static_call(),
        is_direct: input.is_direct_call(),
    };
    let (calldata, gas, reservoir) = (input.data, input.gas, input.reservoir);
    let mut backend = EvmBackend(input.internals_mut());
    let forks = activations.at(backend.timestamp());
    let mut frame = Frame::new(call, Meter::new(gas, params.clone()), &mut backend).under(forks);
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
