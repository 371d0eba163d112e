// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ClaimRouter} from "../src/facades/ClaimRouter.sol";
import {CLAIM_ROUTER, PAYOUTS} from "../src/OpenLedger.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {VM} from "./Vm.sol";
import {Wallet} from "./Wallet.sol";
import {Precompiles} from "./Precompiles.sol";

contract ClaimRouterTest is Precompiles {
    uint256 private constant KEY = 0xa11ce;
    uint256 private constant OTHER_KEY = 0xb0b;
    uint256 private constant DEADLINE = 2000;
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    address private constant TO = address(0x70);
    address private constant RELAYER = address(0x4e1a);

    address private immutable account = VM.addr(KEY);

    function setUp() external {
        VM.warp(1000);
        owe(account, 5 ether);
    }

    function test_signed_claim_pays_where_the_account_said() external {
        bytes memory signature = sign(KEY, account, TO, 0, DEADLINE);
        VM.expectEmit(address(PAYOUTS));
        emit IPayouts.Claimed(account, TO, 5 ether, CLAIM_ROUTER);
        VM.expectEmit(CLAIM_ROUTER);
        emit ClaimRouter.ClaimSent(account, TO, 0, 5 ether, RELAYER);
        VM.prank(RELAYER);
        require(router.claim(account, TO, DEADLINE, signature) == 5 ether);
        require(TO.balance == 5 ether && PAYOUTS.creditOf(account) == 0 && router.nonces(account) == 1);
    }

    function test_digest_is_eip_712s() external view {
        require(router.claimDigest(account, TO, 3, DEADLINE) == digest(account, TO, 3, DEADLINE));
        (bytes1 fields, string memory name, string memory version, uint256 chain, address self,,) =
            router.eip712Domain();
        require(fields == 0x0f && chain == block.chainid && self == CLAIM_ROUTER);
        require(
            keccak256(bytes(name)) == keccak256("OpenLedger ClaimRouter") && keccak256(bytes(version)) == keccak256("1")
        );
    }

    function test_signature_is_good_once() external {
        bytes memory signature = sign(KEY, account, TO, 0, DEADLINE);
        router.claim(account, TO, DEADLINE, signature);
        owe(account, 1 ether);
        refuse(account, TO, DEADLINE, signature);
        require(router.claim(account, TO, DEADLINE, sign(KEY, account, TO, 1, DEADLINE)) == 1 ether);
    }

    function test_nonces_are_taken_in_order() external {
        refuse(account, TO, DEADLINE, sign(KEY, account, TO, 1, DEADLINE));
    }

    function test_skipped_nonce_ends_a_signature() external {
        bytes memory signature = sign(KEY, account, TO, 0, DEADLINE);
        VM.prank(account);
        require(router.skipNonce() == 0);
        refuse(account, TO, DEADLINE, signature);
    }

    function test_claim_expires_after_its_deadline() external {
        bytes memory signature = sign(KEY, account, TO, 0, DEADLINE);
        VM.warp(DEADLINE + 1);
        VM.expectRevert(abi.encodeWithSelector(ClaimRouter.ClaimExpired.selector, DEADLINE));
        router.claim(account, TO, DEADLINE, signature);
        VM.warp(DEADLINE);
        router.claim(account, TO, DEADLINE, signature);
    }

    function test_other_accounts_signatures_are_refused() external {
        refuse(account, TO, DEADLINE, sign(OTHER_KEY, account, TO, 0, DEADLINE));
        // Signed by the account, but for another's claim.
        address other = VM.addr(OTHER_KEY);
        owe(other, 1 ether);
        refuse(other, TO, DEADLINE, sign(KEY, account, TO, 0, DEADLINE));
        refuse(other, TO, DEADLINE, sign(KEY, other, TO, 0, DEADLINE));
    }

    function test_what_was_signed_cannot_be_altered() external {
        bytes memory signature = sign(KEY, account, TO, 0, DEADLINE);
        refuse(account, RELAYER, DEADLINE, signature);
        refuse(account, TO, DEADLINE + 1, signature);
        VM.chainId(block.chainid + 1);
        refuse(account, TO, DEADLINE, signature);
    }

    function test_malformed_signatures_are_refused() external {
        refuse(account, TO, DEADLINE, "");
        refuse(account, TO, DEADLINE, new bytes(65));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, digest(account, TO, 0, DEADLINE));
        refuse(account, TO, DEADLINE, abi.encodePacked(r, s));
        refuse(account, TO, DEADLINE, abi.encodePacked(r, s, v, uint8(0)));
        // The same signature with the other s: valid ECDSA, but a second form.
        refuse(
            account,
            TO,
            DEADLINE,
            abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27))
        );
        // An account that no key has; a failed recovery gives the same address.
        refuse(address(0), TO, DEADLINE, new bytes(65));
    }

    function test_nothing_is_sent_to_the_zero_address() external {
        bytes memory signature = sign(KEY, account, address(0), 0, DEADLINE);
        VM.expectRevert(abi.encodeWithSelector(ClaimRouter.ZeroRecipient.selector));
        router.claim(account, address(0), DEADLINE, signature);
    }

    function test_claim_of_nothing_does_not_use_up_the_signature() external {
        address other = VM.addr(OTHER_KEY);
        bytes memory signature = sign(OTHER_KEY, other, TO, 0, DEADLINE);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.NothingToClaim.selector, other));
        router.claim(other, TO, DEADLINE, signature);
        require(router.nonces(other) == 0);
        owe(other, 1 ether);
        router.claim(other, TO, DEADLINE, signature);
    }

    function test_contract_wallet_decides_for_itself() external {
        Wallet wallet = new Wallet();
        owe(address(wallet), 2 ether);
        bytes memory word = "any bytes that the wallet likes";
        refuse(address(wallet), TO, DEADLINE, word);
        wallet.accept(digest(address(wallet), TO, 0, DEADLINE), word);
        refuse(address(wallet), RELAYER, DEADLINE, word);
        refuse(address(wallet), TO, DEADLINE, "other bytes");
        require(router.claim(address(wallet), TO, DEADLINE, word) == 2 ether && TO.balance == 2 ether);
        owe(address(wallet), 1 ether);
        refuse(address(wallet), TO, DEADLINE, word);
    }

    function test_contract_without_erc_1271_is_refused() external {
        owe(address(router), 1 ether);
        refuse(address(router), TO, DEADLINE, sign(KEY, address(router), TO, 0, DEADLINE));
    }

    function test_payouts_takes_the_routers_word_alone() external {
        VM.expectRevert(abi.encodeWithSelector(IDatanets.NotFacade.selector, address(this)));
        PAYOUTS.claimTo(account, TO);
    }

    function refuse(address owed, address to, uint256 deadline, bytes memory signature) private {
        uint256 nonce = router.nonces(owed);
        VM.expectRevert(abi.encodeWithSelector(ClaimRouter.InvalidClaimSignature.selector, owed));
        router.claim(owed, to, deadline, signature);
        require(router.nonces(owed) == nonce, "a refused claim used a nonce");
    }

    function sign(uint256 key, address owed, address to, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest(owed, to, nonce, deadline));
        return abi.encodePacked(r, s, v);
    }

    /// @dev Computed apart from the contract.
    function digest(address owed, address to, uint256 nonce, uint256 deadline) private view returns (bytes32) {
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(
            abi.encode(domainType, keccak256("OpenLedger ClaimRouter"), keccak256("1"), block.chainid, CLAIM_ROUTER)
        );
        bytes32 claimType = keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");
        return
            keccak256(abi.encodePacked("\x19\x01", domain, keccak256(abi.encode(claimType, owed, to, nonce, deadline))));
    }
}
