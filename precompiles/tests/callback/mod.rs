//! Contracts that call, while they are called, whom they are told to; and somebody who sends them tokens.
#![allow(unreachable_pub, clippy::unwrap_used)]

use crate::cases::Case;
use crate::table::Chain;
use crate::world::{CURATOR, RICH};
use alloy_primitives::{Address, Bytes, Log, U256, hex};
use alloy_sol_types::{SolCall, sol};
use openledger_abi::IDatanets::transferDatanetCall;
use openledger_abi::{CLAIM_ROUTER, CONTRIBUTION_TOKEN, DATANET_TOKEN};
use revm::context::result::ExecutionResult;

sol! {
    function onERC721Received(address operator, address from, uint256 tokenId, bytes data) returns (bytes4);
    function isValidSignature(bytes32 hash, bytes signature) returns (bytes4);
    function transferFrom(address from, address to, uint256 tokenId);
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes data);
}

/// Has a Datanet and a contribution to send.
pub const GIVER: Address = Address::repeat_byte(0x61);
pub const FACADES: [Address; 2] = [DATANET_TOKEN, CONTRIBUTION_TOKEN];

/// The contracts before the precompiles, and their artifacts.
pub fn offices() -> [(Address, &'static str); 3] {
    [
        (DATANET_TOKEN, include_str!("../../../contracts/artifacts/DatanetToken.json")),
        (CONTRIBUTION_TOKEN, include_str!("../../../contracts/artifacts/ContributionToken.json")),
        (CLAIM_ROUTER, include_str!("../../../contracts/artifacts/ClaimRouter.json")),
    ]
}

/// A case in whose world [`GIVER`] has a token of each façade; nothing else of it is changed, the time neither.
#[derive(Clone, Debug)]
pub struct Given {
    pub case: Case,
    /// As [`FACADES`].
    pub tokens: [u64; 2],
}

impl Given {
    pub fn new(case: &Case) -> Self {
        let mut case = case.clone();
        let world = &mut case.world;
        let (number, time) = (world.state.number, world.state.time);
        world.state.balances.insert(GIVER, U256::from(RICH));
        let datanet = world.datanet();
        let given = transferDatanetCall { from: CURATOR, to: GIVER, datanet };
        world.call(DATANET_TOKEN, 0, given).unwrap();
        let contribution = world.contribute(GIVER, datanet, 5, 3, 0);
        (world.state.number, world.state.time) = (number, time);
        Self { case, tokens: [datanet, contribution] }
    }

    /// The world as an EVM with the façades' own code, in which `receiver` does what `code` says, even at the address of
    /// one of them.
    pub fn chain(&self, receiver: Address, code: Vec<u8>) -> Chain {
        let mut chain = Chain::of(&self.case, true);
        for (office, artifact) in offices() {
            let artifact: serde_json::Value = serde_json::from_str(artifact).unwrap();
            chain.set_code(office, hex::decode(artifact["deployedBytecode"].as_str().unwrap()).unwrap());
        }
        chain.set_code(receiver, code);
        chain
    }
}

/// Copies `length` bytes of calldata from `from` on and calls `to` with them; leaves on the stack whether that succeeded.
fn pass_on(length: u8, from: u8, to: Address, value: u128) -> Vec<u8> {
    // len = calldataload(length); calldatacopy(0, from, len); call(gas, to, value, 0, len, 0, 0)
    let mut code = vec![0x60, length, 0x35, 0x80, 0x60, from, 0x5f, 0x37, 0x5f, 0x5f, 0x82, 0x5f, 0x6f];
    code.extend(value.to_be_bytes());
    code.push(0x73);
    code.extend(to);
    code.extend([0x5a, 0xf1]);
    code
}

/// A receiver of tokens that calls `to` with the transfer's data and logs whether that succeeded and what it returned.
pub fn receiver(to: Address, value: u128) -> Vec<u8> {
    let mut code = pass_on(132, 164, to, value);
    // [success] → log0(success ++ returndata); return onERC721Received's selector.
    code.extend(hex!("5f523d5f60203e3d6020015fa063150b7a0260e01b5f5260205ff3"));
    code
}

/// A wallet that calls `to` with what it is given as a signature, and holds that good when the call succeeds or, where
/// `error` is given, when it fails with that.
pub fn wallet(to: Address, error: Option<[u8; 4]>) -> Vec<u8> {
    let mut code = pass_on(68, 100, to, 0);
    if let Some(error) = error {
        // [success] → returndatacopy(0, 0, 4); !success & (mload(0) >> 224 == error)
        code.extend(hex!("1560045f5f3e5f5160e01c63"));
        code.extend(error);
        code.extend(hex!("1416"));
    }
    // [good] → return good * isValidSignature's selector.
    code.extend(hex!("631626ba7e60e01b025f5260205ff3"));
    code
}

/// What `receiver` was told, in the last log that it wrote: whether its call succeeded, and what that returned.
pub fn told(receiver: Address, logs: &[Log]) -> (bool, Bytes) {
    let mut own = logs.iter().filter(|log| log.address == receiver && log.data.topics().is_empty());
    let log = own.next_back().unwrap();
    let (success, returned) = log.data.data.split_at(32);
    (success[31] == 1, Bytes::copy_from_slice(returned))
}

/// Sends `token` of `facade` to `receiver`, which makes its call before the transfer ends; the logs.
pub fn inside(chain: &mut Chain, facade: Address, token: u64, receiver: Address, data: &[u8]) -> Vec<Log> {
    let token_id = U256::from(token);
    let data = Bytes::copy_from_slice(data);
    let send = safeTransferFromCall { from: GIVER, to: receiver, tokenId: token_id, data };
    succeeded(chain.commit(GIVER, facade, &send.abi_encode()))
}

/// Sends it without a word, and then lets `receiver` make the same call; the logs.
pub fn after(chain: &mut Chain, facade: Address, token: u64, receiver: Address, data: &[u8]) -> Vec<Log> {
    let token_id = U256::from(token);
    let send = transferFromCall { from: GIVER, to: receiver, tokenId: token_id };
    let mut logs = succeeded(chain.commit(GIVER, facade, &send.abi_encode()));
    let data = Bytes::copy_from_slice(data);
    let call = onERC721ReceivedCall { operator: GIVER, from: GIVER, tokenId: token_id, data };
    logs.extend(succeeded(chain.commit(crate::table::SENDER, receiver, &call.abi_encode())));
    logs
}

#[track_caller]
fn succeeded(result: ExecutionResult) -> Vec<Log> {
    assert!(result.is_success(), "{result:?}");
    result.into_logs()
}
