//! Changes of the system configuration, from the logs of `SystemConfig` on L1.

use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_primitives::{Address, B64, B256, Bytes, Log, U256, b256};
use openledger_chainspec::SystemConfig;

use crate::L1Info;

/// `ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data)`.
const CONFIG_UPDATE_TOPIC: B256 = b256!("1d2b0bda21d56b8bd12d4f94ebacffdfb35f5e226f84b461103bb8beab6353be");

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigUpdate {
    /// Who may post batches.
    Batcher(Address),
    /// L1 fee overhead and scalars, as the contract packs them.
    FeeScalars {
        /// Not used since Ecotone.
        overhead: B256,
        /// Version byte, zeros, two scalars.
        scalar: B256,
    },
    /// Gas limit of L2 blocks.
    GasLimit(u64),
    /// Who signs unsafe blocks; no part of the L2 chain.
    UnsafeBlockSigner(Address),
    /// EIP-1559 denominator and elasticity.
    Eip1559Params(B64),
    /// Operator fee scalar and constant, as [`SystemConfig::operator_fee_params`] has them.
    OperatorFee(B256),
    /// The lowest base fee in wei.
    MinBaseFee(u64),
    /// Gas a byte of calldata stands for.
    DaFootprintGasScalar(u16),
}

/// Why a log of `SystemConfig` is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigUpdateError {
    /// The event has two indexed parameters.
    #[error("a configuration update has {0} topics where it must have 3")]
    Topics(usize),
    /// Only version 0 is defined.
    #[error("a configuration update has version {0}: only version 0 is known")]
    Version(B256),
    /// A type that this node does not know.
    #[error("a configuration update has type {0}, which this node does not know")]
    Type(B256),
    /// The data is not what its type asks for.
    #[error("a configuration update of {what} has malformed data")]
    Data {
        /// What it would have changed.
        what: &'static str,
    },
}

/// The changes in the logs of one L1 block, in order.
///
/// A malformed log changes nothing and does not hide the ones after it: the contract is trusted, but
/// a later version of it may say things that this one does not know. They are the errors.
pub fn read_config_updates(
    receipts: &[ReceiptEnvelope],
    system_config_contract: Address,
) -> (Vec<ConfigUpdate>, Vec<ConfigUpdateError>) {
    let logs = receipts.iter().filter(|receipt| receipt.status()).flat_map(|r| r.logs());
    let (mut updates, mut errors) = (Vec::new(), Vec::new());
    for log in logs {
        let is_update =
            log.address == system_config_contract && log.topics().first() == Some(&CONFIG_UPDATE_TOPIC);
        if !is_update {
            continue;
        }
        match ConfigUpdate::decode(log) {
            Ok(update) => updates.push(update),
            Err(error) => errors.push(error),
        }
    }
    (updates, errors)
}

/// Applies the changes in the logs of one L1 block to `config` and returns the malformed ones.
pub fn apply_config_updates(
    config: &mut SystemConfig,
    receipts: &[ReceiptEnvelope],
    system_config_contract: Address,
) -> Vec<ConfigUpdateError> {
    let (updates, errors) = read_config_updates(receipts, system_config_contract);
    for update in updates {
        update.apply(config);
    }
    errors
}

/// The system configuration that an L2 block was built with: its L1 attributes and its header say
/// all of it. Not for genesis, whose
/// configuration is in the rollup configuration.
pub fn system_config_of_l2_block(info: &L1Info, header: &Header) -> SystemConfig {
    let mut scalar = B256::ZERO;
    scalar[0] = 1;
    scalar[24..28].copy_from_slice(&info.blob_base_fee_scalar.to_be_bytes());
    scalar[28..].copy_from_slice(&info.base_fee_scalar.to_be_bytes());
    let mut operator_fee_params = B256::ZERO;
    operator_fee_params[20..24].copy_from_slice(&info.operator_fee_scalar.to_be_bytes());
    operator_fee_params[24..].copy_from_slice(&info.operator_fee_constant.to_be_bytes());
    // Version byte, denominator and elasticity, and from Jovian on the lowest base fee.
    let extra = &header.extra_data;
    let params = extra.get(1..9).and_then(|bytes| bytes.try_into().ok());
    let min_base_fee = extra.get(9..17).and_then(|bytes| bytes.try_into().ok());
    SystemConfig {
        batcher_address: info.batcher_address(),
        overhead: B256::ZERO,
        scalar,
        gas_limit: header.gas_limit,
        eip1559_params: B64::new(params.unwrap_or_default()),
        operator_fee_params,
        min_base_fee: u64::from_be_bytes(min_base_fee.unwrap_or_default()),
        da_footprint_gas_scalar: info.da_footprint_gas_scalar.unwrap_or_default(),
    }
}

impl ConfigUpdate {
    /// Reads a `ConfigUpdate` log.
    pub fn decode(log: &Log) -> Result<Self, ConfigUpdateError> {
        let &[_, version, update_type] = log.topics() else {
            return Err(ConfigUpdateError::Topics(log.topics().len()));
        };
        if !version.is_zero() {
            return Err(ConfigUpdateError::Version(version));
        }
        let data = &log.data.data;
        let word = |what| {
            let words = words::<3>(data).filter(|[offset, length, _]| {
                U256::from_be_bytes(*offset) == 32 && U256::from_be_bytes(*length) == 32
            });
            words.map(|[_, _, word]| word).ok_or(ConfigUpdateError::Data { what })
        };
        let kind: u64 = U256::from_be_bytes(update_type.0).saturating_to();
        Ok(match kind {
            0 => Self::Batcher(address(word("the batcher")?, "the batcher")?),
            1 => {
                let what = "the fee scalars";
                let [offset, length, overhead, scalar] =
                    words::<4>(data).ok_or(ConfigUpdateError::Data { what })?;
                if U256::from_be_bytes(offset) != 32 || U256::from_be_bytes(length) != 64 {
                    return Err(ConfigUpdateError::Data { what });
                }
                Self::FeeScalars { overhead: overhead.into(), scalar: ecotone_scalar(scalar)? }
            }
            2 => Self::GasLimit(number(word("the gas limit")?, "the gas limit")?),
            3 => {
                let what = "the unsafe block signer";
                Self::UnsafeBlockSigner(address(word(what)?, what)?)
            }
            4 => {
                let what = "the EIP-1559 parameters";
                Self::Eip1559Params(B64::from(number::<u64>(word(what)?, what)?.to_be_bytes()))
            }
            5 => {
                let what = "the operator fee";
                let word = word(what)?;
                if word[..20].iter().any(|&byte| byte != 0) {
                    return Err(ConfigUpdateError::Data { what });
                }
                Self::OperatorFee(word.into())
            }
            6 => Self::MinBaseFee(number(word("the minimum base fee")?, "the minimum base fee")?),
            7 => {
                let what = "the DA footprint gas scalar";
                Self::DaFootprintGasScalar(number(word(what)?, what)?)
            }
            _ => return Err(ConfigUpdateError::Type(update_type)),
        })
    }

    /// Changes `config`.
    pub const fn apply(&self, config: &mut SystemConfig) {
        match *self {
            Self::Batcher(batcher) => config.batcher_address = batcher,
            Self::FeeScalars { overhead: _, scalar } => {
                // The overhead has no meaning since Ecotone and is kept at zero.
                config.overhead = B256::ZERO;
                config.scalar = scalar;
            }
            Self::GasLimit(limit) => config.gas_limit = limit,
            Self::UnsafeBlockSigner(_) => {}
            Self::Eip1559Params(params) => config.eip1559_params = params,
            Self::OperatorFee(params) => config.operator_fee_params = params,
            Self::MinBaseFee(wei) => config.min_base_fee = wei,
            Self::DaFootprintGasScalar(scalar) => config.da_footprint_gas_scalar = scalar,
        }
    }

    /// The log that the contract would emit: what tests feed the decoder.
    pub fn to_log(&self, contract: Address) -> Log {
        let word = |value: u64| U256::from(value).to_be_bytes::<32>();
        let (kind, words) = match *self {
            Self::Batcher(batcher) => (0, vec![batcher.into_word().0]),
            Self::FeeScalars { overhead, scalar } => (1, vec![overhead.0, scalar.0]),
            Self::GasLimit(limit) => (2, vec![word(limit)]),
            Self::UnsafeBlockSigner(signer) => (3, vec![signer.into_word().0]),
            Self::Eip1559Params(params) => (4, vec![word(u64::from_be_bytes(params.0))]),
            Self::OperatorFee(params) => (5, vec![params.0]),
            Self::MinBaseFee(wei) => (6, vec![word(wei)]),
            Self::DaFootprintGasScalar(scalar) => (7, vec![word(scalar.into())]),
        };
        let length = word(32 * words.len() as u64);
        let data: Bytes = [vec![word(32), length], words].concat().concat().into();
        let topics = vec![CONFIG_UPDATE_TOPIC, B256::ZERO, B256::with_last_byte(kind)];
        Log::new_unchecked(contract, topics, data)
    }
}

/// Accepts the two versions of packed scalars; anything else in the unused bytes is malformed.
fn ecotone_scalar(scalar: [u8; 32]) -> Result<B256, ConfigUpdateError> {
    let unused = match scalar[0] {
        0 => &scalar[1..28],
        1 => &scalar[1..24],
        _ => &scalar[..1],
    };
    if unused.iter().any(|&byte| byte != 0) {
        return Err(ConfigUpdateError::Data { what: "the fee scalars" });
    }
    Ok(scalar.into())
}

fn words<const N: usize>(data: &[u8]) -> Option<[[u8; 32]; N]> {
    let (words, rest) = data.as_chunks::<32>();
    rest.is_empty().then_some(words)?.try_into().ok()
}

fn address(word: [u8; 32], what: &'static str) -> Result<Address, ConfigUpdateError> {
    let address = Address::from_word(word.into());
    (address.into_word().0 == word).then_some(address).ok_or(ConfigUpdateError::Data { what })
}

fn number<T: TryFrom<U256>>(word: [u8; 32], what: &'static str) -> Result<T, ConfigUpdateError> {
    T::try_from(U256::from_be_bytes(word)).map_err(|_| ConfigUpdateError::Data { what })
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Receipt, ReceiptWithBloom};
    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    use super::*;

    const CONTRACT: Address = Address::repeat_byte(0x55);

    fn updates() -> Vec<ConfigUpdate> {
        let mut scalar = B256::with_last_byte(7);
        scalar.0[0] = 1;
        scalar.0[27] = 9;
        vec![
            ConfigUpdate::Batcher(Address::repeat_byte(3)),
            ConfigUpdate::FeeScalars { overhead: B256::ZERO, scalar },
            ConfigUpdate::GasLimit(60_000_000),
            ConfigUpdate::UnsafeBlockSigner(Address::repeat_byte(4)),
            ConfigUpdate::Eip1559Params(B64::new([0, 0, 0, 250, 0, 0, 0, 6])),
            ConfigUpdate::OperatorFee(B256::with_last_byte(8)),
            ConfigUpdate::MinBaseFee(77),
            ConfigUpdate::DaFootprintGasScalar(401),
        ]
    }

    #[test]
    fn the_topic_is_the_event_signature() {
        assert_eq!(keccak256(b"ConfigUpdate(uint256,uint8,bytes)"), CONFIG_UPDATE_TOPIC);
    }

    #[test]
    fn every_update_survives_its_log_and_is_applied() {
        let mut logs = Vec::new();
        for update in updates() {
            let log = update.to_log(CONTRACT);
            assert_eq!(ConfigUpdate::decode(&log), Ok(update));
            logs.push(log);
        }
        logs.insert(1, Log::new_unchecked(CONTRACT, vec![CONFIG_UPDATE_TOPIC], Bytes::new()));
        let receipt = Receipt { status: true.into(), cumulative_gas_used: 0, logs };
        let receipts = [ReceiptEnvelope::Legacy(ReceiptWithBloom::from(receipt))];
        let mut config = SystemConfig::default();
        let errors = apply_config_updates(&mut config, &receipts, CONTRACT);
        assert_eq!(errors, [ConfigUpdateError::Topics(1)]);
        assert_eq!(config.batcher_address, Address::repeat_byte(3));
        assert_eq!((config.base_fee_scalar(), config.blob_base_fee_scalar()), (7, 9));
        assert_eq!(config.gas_limit, 60_000_000);
        assert_eq!(config.eip1559_params, B64::new([0, 0, 0, 250, 0, 0, 0, 6]));
        assert_eq!(config.operator_fee_constant(), 8);
        assert_eq!((config.min_base_fee, config.da_footprint_gas_scalar), (77, 401));

        let mut untouched = SystemConfig::default();
        assert!(apply_config_updates(&mut untouched, &receipts, PORTAL_NOT_CONFIG).is_empty());
        assert_eq!(untouched, SystemConfig::default());
    }

    const PORTAL_NOT_CONFIG: Address = Address::repeat_byte(0x77);

    proptest! {
        #[test]
        fn any_log_ends_in_an_update_or_an_error(
            kind in 0u8..10, data in prop::collection::vec(any::<u8>(), 0..200), tidy in any::<bool>()
        ) {
            let mut data = data;
            if tidy && data.len() > 96 {
                data.truncate(96);
                data[..64].fill(0);
                data[31] = 32;
                data[63] = 32;
            }
            let topics = vec![CONFIG_UPDATE_TOPIC, B256::ZERO, B256::with_last_byte(kind)];
            let _ = ConfigUpdate::decode(&Log::new_unchecked(CONTRACT, topics, data.into()));
        }
    }
}
