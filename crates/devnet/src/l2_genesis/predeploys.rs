//! The OP Stack's predeploys: each a proxy at `0x4200…`, its code in a namespace of its own.

use alloy_primitives::{Address, B256, Bytes, U256, b256};
use alloy_sol_types::{SolCall, SolValue, sol};
use openledger_abi::{
    BASE_FEE_VAULT, GAS_PRICE_ORACLE, L1_ATTRIBUTES_DEPOSITOR, L1_BLOCK, L1_BLOCK_NUMBER, L1_FEE_VAULT,
    L2_CROSS_DOMAIN_MESSENGER, L2_ERC721_BRIDGE, L2_STANDARD_BRIDGE, L2_TO_L1_MESSAGE_PASSER,
    OPERATOR_FEE_VAULT, OPTIMISM_MINTABLE_ERC20_FACTORY, OPTIMISM_MINTABLE_ERC721_FACTORY, PROXY_ADMIN,
    SEQUENCER_FEE_VAULT, WETH,
};

use super::{L2Parameters, evm::GenesisEvm};
use crate::{Artifacts, DevnetError, L1Contracts, OPEN_DECIMALS, OPEN_NAME, OPEN_SYMBOL};

const IMPLEMENTATION_SLOT: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");

/// `keccak256("opstack.gaspayingtoken") - 1` and its siblings for name and symbol.
const GAS_TOKEN_SLOT: B256 = b256!("04adb1412b2ddc16fcc0d4538d5c8f07cf9c83abecc6b41f6f69037b708fbceb");
const GAS_TOKEN_NAME_SLOT: B256 = b256!("657c3582c29b3176614e3a33ddd1ec48352696a04e92b3c0566d72010fa8863c");
const GAS_TOKEN_SYMBOL_SLOT: B256 = b256!("a48b38a4b44951360fbdcbfaaeae5ed6ae92585412e9841b70ec72ed8cd05763");

const LEGACY_MESSAGE_PASSER: Address = predeploy(0x00);
const DEPLOYER_WHITELIST: Address = predeploy(0x02);
const SCHEMA_REGISTRY: Address = predeploy(0x20);
const EAS: Address = predeploy(0x21);

const fn predeploy(index: u8) -> Address {
    let mut bytes = [0; 20];
    bytes[0] = 0x42;
    bytes[19] = index;
    Address::new(bytes)
}

/// Where the code behind a predeploy's proxy is.
const fn implementation_of(predeploy: Address) -> Address {
    let mut bytes = [
        0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0, 0xd3, 0xc0,
        0xd3, 0, 0,
    ];
    bytes[18] = predeploy.0.0[18];
    bytes[19] = predeploy.0.0[19];
    Address::new(bytes)
}

sol! {
    interface IInitializable {
        /// Messengers, bridges and the factory each have one address to learn.
        function initialize(address other) external;
    }

    interface IGasPriceOracleFlags {
        function setEcotone() external;
        function setFjord() external;
    }
}

/// The vault sends its balance on within L2.
const WITHDRAW_TO_L2: U256 = U256::ONE;

/// Places every predeploy.
pub(super) fn place(
    evm: &mut GenesisEvm,
    artifacts: &Artifacts,
    l1: &L1Contracts,
    parameters: &L2Parameters,
) -> Result<(), DevnetError> {
    let mut predeploys = Predeploys { evm, artifacts, proxy_code: artifacts.op("Proxy")?.deployed_code };
    predeploys.stateless()?;
    predeploys.initialized(l1)?;
    predeploys.fee_vaults(parameters)?;
    predeploys.factories(parameters)?;
    predeploys.l1_block(l1)?;
    predeploys.gas_price_oracle()?;
    predeploys.proxy_admin(parameters.owner)
}

struct Predeploys<'a> {
    evm: &'a mut GenesisEvm,
    artifacts: &'a Artifacts,
    proxy_code: Bytes,
}

impl Predeploys<'_> {
    /// A proxy, and behind it what the constructor of `init_code` leaves.
    fn proxied(&mut self, name: &str, at: Address, init_code: Bytes) -> Result<(), DevnetError> {
        let constructed = self.evm.construct(name, init_code)?;
        let implementation = implementation_of(at);
        self.evm.put(implementation, constructed.code, constructed.storage);
        let slots =
            [(IMPLEMENTATION_SLOT, implementation.into_word()), (ADMIN_SLOT, PROXY_ADMIN.into_word())];
        self.evm.put(at, self.proxy_code.clone(), slots);
        Ok(())
    }

    fn op(&mut self, name: &str, at: Address) -> Result<(), DevnetError> {
        let init_code = self.artifacts.op(name)?.init_code;
        self.proxied(name, at, init_code)
    }

    /// Contracts without configuration.
    fn stateless(&mut self) -> Result<(), DevnetError> {
        for (name, at) in [
            ("LegacyMessagePasser", LEGACY_MESSAGE_PASSER),
            ("DeployerWhitelist", DEPLOYER_WHITELIST),
            ("L1BlockNumber", L1_BLOCK_NUMBER),
            ("L2ToL1MessagePasser", L2_TO_L1_MESSAGE_PASSER),
            ("SchemaRegistry", SCHEMA_REGISTRY),
            ("EAS", EAS),
        ] {
            self.op(name, at)?;
        }
        // The one predeploy without a proxy.
        let weth = self.evm.construct("WETH", self.artifacts.op("WETH")?.init_code)?;
        self.evm.put(WETH, weth.code, weth.storage);
        Ok(())
    }

    /// Contracts that learn their counterpart through the proxy.
    fn initialized(&mut self, l1: &L1Contracts) -> Result<(), DevnetError> {
        for (name, at, other) in [
            ("L2CrossDomainMessenger", L2_CROSS_DOMAIN_MESSENGER, l1.l1_cross_domain_messenger),
            ("L2StandardBridge", L2_STANDARD_BRIDGE, l1.l1_standard_bridge),
            ("L2ERC721Bridge", L2_ERC721_BRIDGE, l1.l1_erc721_bridge),
            ("OptimismMintableERC20Factory", OPTIMISM_MINTABLE_ERC20_FACTORY, L2_STANDARD_BRIDGE),
        ] {
            self.op(name, at)?;
            let call = IInitializable::initializeCall { other };
            self.evm.call(name, L1_ATTRIBUTES_DEPOSITOR, at, call.abi_encode().into())?;
        }
        Ok(())
    }

    /// The package predates the operator fee, whose vault is a fee vault like the others.
    fn fee_vaults(&mut self, parameters: &L2Parameters) -> Result<(), DevnetError> {
        let arguments =
            (parameters.fee_recipient, parameters.fee_withdrawal_minimum, WITHDRAW_TO_L2).abi_encode_params();
        for (name, at) in [
            ("SequencerFeeVault", SEQUENCER_FEE_VAULT),
            ("BaseFeeVault", BASE_FEE_VAULT),
            ("L1FeeVault", L1_FEE_VAULT),
            ("L1FeeVault", OPERATOR_FEE_VAULT),
        ] {
            let init_code = self.artifacts.op(name)?.init_code_with(&arguments);
            self.proxied(name, at, init_code)?;
        }
        Ok(())
    }

    fn factories(&mut self, parameters: &L2Parameters) -> Result<(), DevnetError> {
        let name = "OptimismMintableERC721Factory";
        let arguments = (L2_ERC721_BRIDGE, U256::from(parameters.l1_chain_id)).abi_encode_params();
        let init_code = self.artifacts.op(name)?.init_code_with(&arguments);
        self.proxied(name, OPTIMISM_MINTABLE_ERC721_FACTORY, init_code)
    }

    /// The deposit that tells L1Block of the gas token lies in the L1 block that L2 starts after, so
    /// it is never derived: genesis has what it would have written.
    fn l1_block(&mut self, l1: &L1Contracts) -> Result<(), DevnetError> {
        let init_code = self.artifacts.own("L1Block")?.init_code;
        self.proxied("L1Block", L1_BLOCK, init_code)?;
        let token = (U256::from(OPEN_DECIMALS) << 160) | U256::from_be_bytes(l1.open_token.into_word().0);
        for (slot, value) in [
            (GAS_TOKEN_SLOT, B256::from(token)),
            (GAS_TOKEN_NAME_SLOT, B256::right_padding_from(OPEN_NAME.as_bytes())),
            (GAS_TOKEN_SYMBOL_SLOT, B256::right_padding_from(OPEN_SYMBOL.as_bytes())),
        ] {
            self.evm.set_slot(L1_BLOCK, slot, value);
        }
        Ok(())
    }

    fn gas_price_oracle(&mut self) -> Result<(), DevnetError> {
        let name = "GasPriceOracle";
        self.op(name, GAS_PRICE_ORACLE)?;
        for flag in [
            IGasPriceOracleFlags::setEcotoneCall {}.abi_encode(),
            IGasPriceOracleFlags::setFjordCall {}.abi_encode(),
        ] {
            self.evm.call(name, L1_ATTRIBUTES_DEPOSITOR, GAS_PRICE_ORACLE, flag.into())?;
        }
        Ok(())
    }

    /// The proxies' admin. Its constructor names an owner, which only the proxy's storage needs.
    fn proxy_admin(&mut self, owner: Address) -> Result<(), DevnetError> {
        let init_code = self.artifacts.op("ProxyAdmin")?.init_code_with(&owner.abi_encode());
        self.proxied("ProxyAdmin", PROXY_ADMIN, init_code)?;
        self.evm.set_slot(PROXY_ADMIN, B256::ZERO, owner.into_word());
        Ok(())
    }
}
