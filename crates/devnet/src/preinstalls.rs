//! Well-known contracts that every OP chain has from its first block, at the addresses they have
//! elsewhere. Their code is read from the OP Stack's sources.

use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use alloy_sol_types::SolValue;

use crate::{Artifacts, DevnetError};

const SOURCE: &str = "libraries/Preinstalls.sol";

/// Address of multicall3 on every chain.
pub(crate) const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");
/// Address of Permit2 on every chain.
pub(crate) const PERMIT2: Address = address!("000000000022D473030F116dDEE9F6B43aC78BA3");
/// The deployer without keys that puts code at addresses by salt.
pub(crate) const DETERMINISTIC_DEPLOYMENT_PROXY: Address =
    address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Where Permit2's code keeps the two values that depend on the chain.
const PERMIT2_CHAIN_ID_OFFSET: usize = 6945;
const PERMIT2_DOMAIN_OFFSET: usize = 6983;

const CONTRACTS: [(&str, Address); 10] = [
    ("MultiCall3Code", MULTICALL3),
    ("Create2DeployerCode", address!("13b0D85CcB8bf860b6b79AF3029fCA081AE9beF2")),
    ("Safe_v130Code", address!("69f4D1788e39c87893C980c06EdF4b7f686e2938")),
    ("SafeL2_v130Code", address!("fb1bffC9d739B8D520DaF37dF666da4C687191EA")),
    ("MultiSendCallOnly_v130Code", address!("A1dabEF33b3B82c7814B6D82A79e50F4AC44102B")),
    ("SafeSingletonFactoryCode", address!("914d7Fec6aaC8cd542e72Bca78B30650d45643d7")),
    ("DeterministicDeploymentProxyCode", DETERMINISTIC_DEPLOYMENT_PROXY),
    ("MultiSend_v130Code", address!("998739BFdAAdde7C933B942a68053933098f9EDa")),
    ("SenderCreatorCode", address!("7fc98430eAEdbb6070B35B39D798725049088348")),
    ("EntryPointCode", address!("5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")),
];

/// The contracts' code.
#[derive(Debug)]
pub(crate) struct Preinstalls {
    source: String,
}

impl Preinstalls {
    pub(crate) fn read(artifacts: &Artifacts) -> Result<Self, DevnetError> {
        Ok(Self { source: artifacts.op_source(SOURCE)? })
    }

    /// Every contract with its code for the chain.
    pub(crate) fn all(&self, chain_id: u64) -> Result<Vec<(Address, Bytes)>, DevnetError> {
        let mut all = CONTRACTS
            .iter()
            .map(|&(name, address)| Ok((address, self.code(name)?)))
            .collect::<Result<Vec<_>, DevnetError>>()?;
        all.push((PERMIT2, self.permit2(chain_id)?));
        Ok(all)
    }

    /// The code that the source gives as the constant `name`.
    pub(crate) fn code(&self, name: &str) -> Result<Bytes, DevnetError> {
        let fail = |reason: &str| DevnetError::Genesis {
            what: format!("{name} in {SOURCE}"),
            reason: reason.to_owned(),
        };
        let declaration = format!("bytes internal constant {name} =");
        let (_, rest) = self.source.split_once(&declaration).ok_or_else(|| fail("no such constant"))?;
        let literal = rest
            .trim_start()
            .strip_prefix("hex\"")
            .and_then(|rest| rest.split_once('"'))
            .ok_or_else(|| fail("is not a hex literal"))?
            .0;
        hex::decode(literal).map(Bytes::from).map_err(|error| fail(&error.to_string()))
    }

    /// Permit2's code with the chain's id and EIP-712 domain in place of the template's.
    fn permit2(&self, chain_id: u64) -> Result<Bytes, DevnetError> {
        let mut code = self.code("Permit2TemplateCode")?.to_vec();
        for (offset, word) in [
            (PERMIT2_CHAIN_ID_OFFSET, B256::from(U256::from(chain_id))),
            (PERMIT2_DOMAIN_OFFSET, permit2_domain_separator(chain_id)),
        ] {
            let place = code.get_mut(offset..offset + 32).ok_or_else(|| DevnetError::Genesis {
                what: "Permit2".to_owned(),
                reason: "its template is too short".to_owned(),
            })?;
            place.copy_from_slice(word.as_slice());
        }
        Ok(code.into())
    }
}

/// Permit2's EIP-712 domain separator on the chain.
pub(crate) fn permit2_domain_separator(chain_id: u64) -> B256 {
    let domain = "EIP712Domain(string name,uint256 chainId,address verifyingContract)";
    let fields = (keccak256(domain), keccak256("Permit2"), U256::from(chain_id), PERMIT2);
    keccak256(fields.abi_encode())
}
