// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC3009, IERC3009Cancel} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {OpenToken} from "../src/OpenToken.sol";
import {VM} from "./Vm.sol";
import {Wallet} from "./Wallet.sol";

contract OpenTokenTest {
    uint256 private constant KEY = 7;
    uint256 private constant OTHER_KEY = 8;
    uint256 private constant NOW = 1000;
    uint256 private constant BEFORE = 2000;
    uint256 private constant VALUE = 5;
    bytes32 private constant NONCE = "nonce";
    bytes private constant WORD = "any bytes that the wallet likes";
    address private constant PAYEE = address(0x9a1e);
    bytes32 private constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    address private immutable holder = VM.addr(KEY);
    OpenToken private immutable open = new OpenToken(VM.addr(KEY), 100 ether);
    Wallet private immutable wallet = new Wallet();

    function setUp() external {
        VM.warp(NOW);
        VM.prank(holder);
        open.transfer(address(wallet), 1 ether);
    }

    function test_supply_is_fixed_and_the_holders() external view {
        require(open.totalSupply() == 100 ether && open.balanceOf(holder) == 99 ether && open.decimals() == 18);
        require(keccak256(bytes(open.name())) == keccak256("OpenLedger"));
        require(keccak256(bytes(open.symbol())) == keccak256("OPEN"));
    }

    // Permit.

    function test_permit_by_vrs_sets_an_allowance_once() external {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, permitDigest(holder, 0));
        open.permit(holder, PAYEE, VALUE, BEFORE, v, r, s);
        require(open.allowance(holder, PAYEE) == VALUE && open.nonces(holder) == 1);
        VM.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        open.permit(holder, PAYEE, VALUE, BEFORE, v, r, s);
    }

    function test_permit_by_bytes_sets_an_allowance_once() external {
        bytes memory signature = sign(KEY, permitDigest(holder, 0));
        open.permit(holder, PAYEE, VALUE, BEFORE, signature);
        require(open.allowance(holder, PAYEE) == VALUE && open.nonces(holder) == 1);
        VM.prank(PAYEE);
        open.transferFrom(holder, PAYEE, VALUE);
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, holder));
        open.permit(holder, PAYEE, VALUE, BEFORE, signature);
        require(open.allowance(holder, PAYEE) == 0 && open.nonces(holder) == 1);
    }

    function test_permit_forms_share_their_nonces() external {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, permitDigest(holder, 0));
        open.permit(holder, PAYEE, VALUE, BEFORE, v, r, s);
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, holder));
        open.permit(holder, PAYEE, VALUE, BEFORE, abi.encodePacked(r, s, v));
        open.permit(holder, PAYEE, VALUE, BEFORE, sign(KEY, permitDigest(holder, 1)));
    }

    function test_permit_by_a_wallet() external {
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, address(wallet)));
        open.permit(address(wallet), PAYEE, VALUE, BEFORE, WORD);
        wallet.accept(permitDigest(address(wallet), 0), WORD);
        open.permit(address(wallet), PAYEE, VALUE, BEFORE, WORD);
        require(open.allowance(address(wallet), PAYEE) == VALUE);
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, address(wallet)));
        open.permit(address(wallet), PAYEE, VALUE, BEFORE, WORD);
    }

    function test_permit_of_another_signer_or_value_is_refused() external {
        bytes memory others = sign(OTHER_KEY, permitDigest(holder, 0));
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, holder));
        open.permit(holder, PAYEE, VALUE, BEFORE, others);
        bytes memory own = sign(KEY, permitDigest(holder, 0));
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, holder));
        open.permit(holder, PAYEE, VALUE + 1, BEFORE, own);
        // Nobody has the zero address, though a failed recovery gives it.
        VM.expectRevert(abi.encodeWithSelector(OpenToken.InvalidPermitSignature.selector, address(0)));
        open.permit(address(0), PAYEE, VALUE, BEFORE, new bytes(65));
    }

    function test_permit_ends_after_its_deadline() external {
        bytes memory signature = sign(KEY, permitDigest(holder, 0));
        VM.warp(BEFORE + 1);
        VM.expectRevert(abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, BEFORE));
        open.permit(holder, PAYEE, VALUE, BEFORE, signature);
        VM.warp(BEFORE);
        open.permit(holder, PAYEE, VALUE, BEFORE, signature);
    }

    // Transfers.

    function test_transfer_by_vrs_moves_once() external {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, authorization(TRANSFER, holder, 0));
        VM.expectEmit(address(open));
        emit IERC3009.AuthorizationUsed(holder, NONCE);
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, v, r, s);
        require(open.balanceOf(PAYEE) == VALUE && open.authorizationState(holder, NONCE));
        VM.expectRevert(used(holder));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, v, r, s);
        // The same signature in its other form is the same authorization.
        VM.expectRevert(used(holder));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, abi.encodePacked(r, s, v));
    }

    function test_transfer_by_bytes_moves_once() external {
        bytes memory signature = sign(KEY, authorization(TRANSFER, holder, 0));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
        require(open.balanceOf(PAYEE) == VALUE && open.authorizationState(holder, NONCE));
        VM.expectRevert(used(holder));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
    }

    function test_transfer_by_a_wallet_moves_once() external {
        VM.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        open.transferWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, WORD);
        wallet.accept(authorization(TRANSFER, address(wallet), 0), WORD);
        open.transferWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, WORD);
        require(open.balanceOf(PAYEE) == VALUE);
        VM.expectRevert(used(address(wallet)));
        open.transferWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, WORD);
    }

    function test_authorization_is_good_between_its_times() external {
        bytes memory signature = sign(KEY, authorization(TRANSFER, holder, NOW));
        bytes memory early = abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, NOW, BEFORE);
        VM.expectRevert(early);
        open.transferWithAuthorization(holder, PAYEE, VALUE, NOW, BEFORE, NONCE, signature);
        VM.warp(BEFORE);
        VM.expectRevert(early);
        open.transferWithAuthorization(holder, PAYEE, VALUE, NOW, BEFORE, NONCE, signature);
        require(open.balanceOf(PAYEE) == 0 && !open.authorizationState(holder, NONCE));
        VM.warp(BEFORE - 1);
        open.transferWithAuthorization(holder, PAYEE, VALUE, NOW, BEFORE, NONCE, signature);
        require(open.balanceOf(PAYEE) == VALUE);
    }

    function test_altered_authorizations_move_nothing() external {
        bytes memory others = sign(OTHER_KEY, authorization(TRANSFER, holder, 0));
        bytes memory own = sign(KEY, authorization(TRANSFER, holder, 0));
        bytes memory refusal = abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
        VM.expectRevert(refusal);
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, others);
        VM.expectRevert(refusal);
        open.transferWithAuthorization(holder, address(this), VALUE, 0, BEFORE, NONCE, own);
        VM.expectRevert(refusal);
        open.transferWithAuthorization(holder, PAYEE, VALUE + 1, 0, BEFORE, NONCE, own);
        VM.expectRevert(refusal);
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, "other", own);
        VM.expectRevert(refusal);
        open.transferWithAuthorization(address(0), PAYEE, VALUE, 0, BEFORE, NONCE, new bytes(65));
        require(open.balanceOf(PAYEE) == 0);
    }

    // Receipts.

    function test_receive_by_vrs_is_the_payees_alone() external {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, authorization(RECEIVE, holder, 0));
        VM.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, PAYEE));
        open.receiveWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, v, r, s);
        VM.prank(PAYEE);
        open.receiveWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, v, r, s);
        require(open.balanceOf(PAYEE) == VALUE && open.authorizationState(holder, NONCE));
    }

    function test_receive_by_bytes_is_the_payees_alone() external {
        bytes memory signature = sign(KEY, authorization(RECEIVE, holder, 0));
        VM.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, PAYEE));
        open.receiveWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
        VM.prank(PAYEE);
        open.receiveWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
        require(open.balanceOf(PAYEE) == VALUE);
        VM.expectRevert(used(holder));
        VM.prank(PAYEE);
        open.receiveWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
    }

    function test_receive_from_a_wallet() external {
        wallet.accept(authorization(RECEIVE, address(wallet), 0), WORD);
        VM.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        VM.prank(PAYEE);
        open.receiveWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, "other bytes");
        VM.prank(PAYEE);
        open.receiveWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, WORD);
        require(open.balanceOf(PAYEE) == VALUE);
    }

    function test_authorization_to_receive_is_none_to_transfer() external {
        bytes memory signature = sign(KEY, authorization(RECEIVE, holder, 0));
        VM.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
    }

    // Cancellations.

    function test_cancelled_by_vrs_moves_nothing() external {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, cancellation(holder));
        VM.expectEmit(address(open));
        emit IERC3009Cancel.AuthorizationCanceled(holder, NONCE);
        open.cancelAuthorization(holder, NONCE, v, r, s);
        moveCancelled();
    }

    function test_cancelled_by_bytes_moves_nothing() external {
        bytes memory others = sign(OTHER_KEY, cancellation(holder));
        VM.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        open.cancelAuthorization(holder, NONCE, others);
        open.cancelAuthorization(holder, NONCE, sign(KEY, cancellation(holder)));
        moveCancelled();
    }

    function test_cancelled_by_a_wallet_moves_nothing() external {
        VM.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        open.cancelAuthorization(address(wallet), NONCE, WORD);
        wallet.accept(cancellation(address(wallet)), WORD);
        open.cancelAuthorization(address(wallet), NONCE, WORD);
        wallet.accept(authorization(TRANSFER, address(wallet), 0), WORD);
        VM.expectRevert(used(address(wallet)));
        open.transferWithAuthorization(address(wallet), PAYEE, VALUE, 0, BEFORE, NONCE, WORD);
    }

    function test_used_authorization_cannot_be_cancelled() external {
        open.transferWithAuthorization(
            holder, PAYEE, VALUE, 0, BEFORE, NONCE, sign(KEY, authorization(TRANSFER, holder, 0))
        );
        bytes memory signature = sign(KEY, cancellation(holder));
        VM.expectRevert(used(holder));
        open.cancelAuthorization(holder, NONCE, signature);
    }

    function moveCancelled() private {
        bytes memory signature = sign(KEY, authorization(TRANSFER, holder, 0));
        VM.expectRevert(used(holder));
        open.transferWithAuthorization(holder, PAYEE, VALUE, 0, BEFORE, NONCE, signature);
        require(open.balanceOf(PAYEE) == 0);
    }

    function used(address authorizer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, authorizer, NONCE);
    }

    function permitDigest(address owner, uint256 nonce) private view returns (bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        return digest(keccak256(abi.encode(typeHash, owner, PAYEE, VALUE, nonce, BEFORE)));
    }

    function authorization(bytes32 typeHash, address from, uint256 validAfter) private view returns (bytes32) {
        return digest(keccak256(abi.encode(typeHash, from, PAYEE, VALUE, validAfter, BEFORE, NONCE)));
    }

    function cancellation(address authorizer) private view returns (bytes32) {
        bytes32 typeHash = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
        return digest(keccak256(abi.encode(typeHash, authorizer, NONCE)));
    }

    /// @dev Computed apart from the contract.
    function digest(bytes32 structHash) private view returns (bytes32) {
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain =
            keccak256(abi.encode(domainType, keccak256("OpenLedger"), keccak256("1"), block.chainid, address(open)));
        return keccak256(abi.encodePacked("\x19\x01", domain, structHash));
    }

    function sign(uint256 key, bytes32 hash) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }
}
