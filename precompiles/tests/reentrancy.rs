//! Whoever is called back in the middle of a call finds the state as it will be when the call ends, and can do no more
//! and no less than at any other time.
#![allow(clippy::unwrap_used)]

mod callback;
mod cases;
mod table;
mod world;

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolError, sol};
use callback::*;
use cases::Case;
use openledger_abi::CLAIM_ROUTER;
use openledger_abi::IPayouts::{NothingToClaim, creditOfCall, drawStreamCall, openStreamCall};
use openledger_precompiles::IPrecompile::StaticCallRefused;
use revm::context::result::ExecutionResult;
use std::collections::BTreeSet;
use world::*;

sol! {
    function balanceOf(address owner);
    function ownerOf(uint256 tokenId);
    function announce(uint256[] tokenIds);
    function isAnnounced(uint256 tokenId);
    function approve(address to, uint256 tokenId);
    function getApproved(uint256 tokenId);
    function setApprovalForAll(address operator, bool approved);
    function isApprovedForAll(address owner, address operator);
    function royaltyInfo(uint256 tokenId, uint256 salePrice);
    function supportsInterface(bytes4 interfaceId);
    function name();
    function symbol();
    function tokenURI(uint256 tokenId);
    function claim(address account, address to, uint256 deadline, bytes signature);
    function skipNonce();
    function claimDigest(address account, address to, uint256 nonce, uint256 deadline);
    function DOMAIN_SEPARATOR();
    function eip712Domain();
    function nonces(address owner);
    function CLAIM_TYPEHASH();
}

mod plain {
    alloy_sol_types::sol! {
        function safeTransferFrom(address from, address to, uint256 tokenId);
    }
}

/// The call from a receiver's callback and after the transfer: all that can be seen of the two is the same.
#[track_caller]
fn same_inside_as_after(
    given: &Given,
    facade: usize,
    receiver: Address,
    code: &[u8],
    data: &[u8],
    name: &str,
) {
    let (token, facade) = (given.tokens[facade], FACADES[facade]);
    let mut called_back = given.chain(receiver, code.to_vec());
    let mut called_later = given.chain(receiver, code.to_vec());
    let within = inside(&mut called_back, facade, token, receiver, data);
    let later = after(&mut called_later, facade, token, receiver, data);
    let (success, returned) = told(receiver, &within);
    assert!(success, "{name}: {returned}");
    assert_eq!(within, later, "{name}");
    assert_eq!(called_back.kept(), called_later.kept(), "{name}");
}

#[test]
fn every_function_does_the_same_from_a_receivers_callback() {
    for case in cases::all() {
        let name = case.function().signature;
        let given = Given::new(&case);
        let value = u128::try_from(case.call.value).unwrap();
        let code = receiver(case.to.address(), value);
        // A façade whose own right the case uses cannot be the one that calls back: there the receiver stands.
        for facade in [0, 1].into_iter().filter(|facade| FACADES[*facade] != case.call.caller) {
            same_inside_as_after(&given, facade, case.call.caller, &code, &case.data, name);
        }
    }
}

/// A world in which [`BOB`] is to receive tokens and an account with a key is owed something.
fn with_credit() -> Given {
    let mut drawn = World::with_model();
    let open = openStreamCall { to: signing::signer(), weiPerSecond: 10, start: 0, salt: B256::ZERO };
    let stream = drawn.call(PAYER, 90, open).unwrap();
    drawn.advance(100);
    drawn.call(BOB, 0, drawStreamCall { stream }).unwrap();
    Given::new(&Case::new(&drawn, BOB, 0, &creditOfCall { account: signing::signer() }))
}

/// For every function of an office a call that BOB can make while it holds `token`.
fn calls_of(office: Address, token: u64, given: &Given) -> Vec<Vec<u8>> {
    let id = U256::from(token);
    if office == CLAIM_ROUTER {
        let (account, to) = (signing::signer(), Address::repeat_byte(0x66));
        let deadline = U256::from(given.case.world.state.time);
        let digest = claimDigestCall { account, to, nonce: U256::ZERO, deadline }.abi_encode();
        let mut chain = given.chain(BOB, vec![]);
        let hash = chain.look(table::SENDER, CLAIM_ROUTER, &digest).result.into_output().unwrap();
        let key: PrivateKeySigner = signing::key();
        let signature =
            Bytes::from(key.sign_hash_sync(&B256::from_slice(&hash)).unwrap().as_bytes().to_vec());
        return vec![
            claimCall { account, to, deadline, signature }.abi_encode(),
            skipNonceCall {}.abi_encode(),
            digest,
            DOMAIN_SEPARATORCall {}.abi_encode(),
            eip712DomainCall {}.abi_encode(),
            noncesCall { owner: account }.abi_encode(),
            CLAIM_TYPEHASHCall {}.abi_encode(),
        ];
    }
    vec![
        balanceOfCall { owner: BOB }.abi_encode(),
        ownerOfCall { tokenId: id }.abi_encode(),
        announceCall { tokenIds: vec![id, U256::ONE] }.abi_encode(),
        isAnnouncedCall { tokenId: id }.abi_encode(),
        approveCall { to: ALICE, tokenId: id }.abi_encode(),
        getApprovedCall { tokenId: id }.abi_encode(),
        setApprovalForAllCall { operator: ALICE, approved: true }.abi_encode(),
        isApprovedForAllCall { owner: GIVER, operator: BOB }.abi_encode(),
        royaltyInfoCall { tokenId: id, salePrice: U256::from(12_345) }.abi_encode(),
        supportsInterfaceCall { interfaceId: FixedBytes([1, 2, 3, 4]) }.abi_encode(),
        nameCall {}.abi_encode(),
        symbolCall {}.abi_encode(),
        tokenURICall { tokenId: id }.abi_encode(),
        transferFromCall { from: BOB, to: ALICE, tokenId: id }.abi_encode(),
        // To itself: called back once more, within.
        plain::safeTransferFromCall { from: BOB, to: BOB, tokenId: id }.abi_encode(),
        safeTransferFromCall { from: BOB, to: ALICE, tokenId: id, data: Bytes::new() }.abi_encode(),
    ]
}

#[test]
fn every_function_of_the_offices_does_the_same_from_a_receivers_callback() {
    let given = with_credit();
    for (office, artifact) in offices() {
        let artifact: serde_json::Value = serde_json::from_str(artifact).unwrap();
        let entries = artifact["abi"].as_array().unwrap().iter();
        let functions = entries.filter(|entry| entry["type"] == "function");
        let declared: BTreeSet<[u8; 4]> = functions
            .map(|function| {
                let inputs = function["inputs"].as_array().unwrap().iter();
                let types: Vec<_> = inputs.map(|input| input["type"].as_str().unwrap()).collect();
                let signature = format!("{}({})", function["name"].as_str().unwrap(), types.join(","));
                *alloy_primitives::keccak256(signature).first_chunk().unwrap()
            })
            .collect();
        for (facade, _) in
            FACADES.iter().enumerate().filter(|(_, outer)| [**outer, CLAIM_ROUTER].contains(&office))
        {
            let calls = calls_of(office, given.tokens[facade], &given);
            let covered: BTreeSet<[u8; 4]> = calls.iter().map(|call| *call.first_chunk().unwrap()).collect();
            assert_eq!(covered, declared, "the calls of {office} are those of its ABI");
            for call in calls {
                let name = format!("{office} {}", alloy_primitives::hex::encode(&call[..4]));
                same_inside_as_after(&given, facade, BOB, &receiver(office, 0), &call, &name);
            }
        }
    }
}

#[test]
fn approval_by_the_former_owner_is_gone_within_the_callback() {
    let given = with_credit();
    for (facade, office) in FACADES.into_iter().enumerate() {
        let id = U256::from(given.tokens[facade]);
        // It was approved for the token before it got it, and moves it once more in the giver's name.
        for call in [
            transferFromCall { from: GIVER, to: BOB, tokenId: id },
            transferFromCall { from: GIVER, to: ALICE, tokenId: id },
        ] {
            let mut chain = given.chain(BOB, receiver(office, 0));
            let approve = approveCall { to: BOB, tokenId: id }.abi_encode();
            assert!(chain.commit(GIVER, office, &approve).is_success());
            let logs = inside(&mut chain, office, given.tokens[facade], BOB, &call.abi_encode());
            let (success, error) = told(BOB, &logs);
            assert!(!success, "{error}");
            let owner = chain.look(table::SENDER, office, &ownerOfCall { tokenId: id }.abi_encode());
            assert_eq!(owner.result.output().unwrap()[12..], *BOB);
        }
    }
}

#[test]
fn every_function_reads_and_none_writes_while_a_wallet_is_asked_for_its_signature() {
    const WALLET: Address = Address::repeat_byte(0x77);
    for case in cases::all() {
        let function = case.function();
        let given = Given::new(&case);
        let error = function.purity.writes().then_some(StaticCallRefused::SELECTOR);
        let mut chain = given.chain(WALLET, wallet(case.to.address(), error));
        let deadline = U256::from(given.case.world.state.time);
        let signature = Bytes::from(case.data.clone());
        let claim = claimCall { account: WALLET, to: BOB, deadline, signature }.abi_encode();
        let before = chain.kept();
        // The signature was good, so that the call in its place ended as it should: nothing is owed to the wallet.
        let ExecutionResult::Revert { output, .. } = chain.commit(BOB, CLAIM_ROUTER, &claim) else {
            panic!("{function:?}")
        };
        assert_eq!(output, NothingToClaim { account: WALLET }.abi_encode(), "{function:?}");
        assert_eq!(chain.kept(), before, "{function:?}");
    }
}
