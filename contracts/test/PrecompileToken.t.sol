// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/interfaces/IERC721Metadata.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {DATANETS} from "../src/OpenLedger.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {PrecompileToken} from "../src/facades/PrecompileToken.sol";
import {ReenteringReceiver, RefusingReceiver, RevertingReceiver, TakingReceiver} from "./Receivers.sol";
import {VM, Vm} from "./Vm.sol";
import {Precompiles} from "./Precompiles.sol";

/// @dev What both façades promise; each test contract below says which token it is about. The test contract owns
/// token 1 and `OTHER` owns token 2.
abstract contract PrecompileTokenTest is Precompiles {
    address internal constant OTHER = address(0x0744e5);
    address internal constant FRIEND = address(0xf513d);
    address internal constant STRANGER = address(0x574a);
    uint256 internal constant ABSENT = 3;

    PrecompileToken internal token;

    function balanceInPrecompile(address owner) internal view virtual returns (uint256);

    function test_owner_and_balance_are_the_precompiles() external view {
        require(token.ownerOf(1) == address(this) && token.ownerOf(2) == OTHER);
        require(token.balanceOf(address(this)) == 1 && token.balanceOf(OTHER) == 1 && token.balanceOf(FRIEND) == 0);
        require(balanceInPrecompile(OTHER) == 1);
    }

    function test_balance_of_the_zero_address_is_an_error() external {
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidOwner.selector, address(0)));
        token.balanceOf(address(0));
    }

    function test_unknown_ids_are_no_tokens() external {
        // The last two are 1 in their low 64 bits.
        uint256[5] memory ids = [0, ABSENT, type(uint64).max, (1 << 64) + 1, (1 << 255) + 1];
        for (uint256 i; i < ids.length; ++i) {
            bytes memory unknown = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, ids[i]);
            VM.expectRevert(unknown);
            token.ownerOf(ids[i]);
            VM.expectRevert(unknown);
            token.getApproved(ids[i]);
            VM.expectRevert(unknown);
            token.tokenURI(ids[i]);
            VM.expectRevert(unknown);
            token.royaltyInfo(ids[i], 1);
            VM.expectRevert(unknown);
            token.approve(FRIEND, ids[i]);
            VM.expectRevert(unknown);
            token.transferFrom(address(this), FRIEND, ids[i]);
        }
    }

    function test_other_failures_of_the_precompile_come_through() external {
        // PUSH0, PUSH0, RETURN: an answer too short to be a struct.
        VM.etch(address(DATANETS), hex"5f5ff3");
        (bool ok, bytes memory reason) = address(token).staticcall(abi.encodeCall(IERC721.ownerOf, (1)));
        require(!ok && reason.length == 0);
        // PUSH32 word, MSTORE at 0, REVERT with those 32 bytes.
        VM.etch(address(DATANETS), abi.encodePacked(hex"7f", bytes32("a reason"), hex"60005260206000fd"));
        (ok, reason) = address(token).staticcall(abi.encodeCall(IERC721.ownerOf, (1)));
        require(!ok && bytes32(reason) == "a reason" && reason.length == 32);
    }

    function test_owner_transfers() external {
        VM.expectEmit(address(token));
        emit IERC721.Transfer(address(this), FRIEND, 1);
        token.transferFrom(address(this), FRIEND, 1);
        require(token.ownerOf(1) == FRIEND);
        require(token.balanceOf(address(this)) == 0 && token.balanceOf(FRIEND) == 1);
    }

    function test_first_transfer_announces_the_token_before_it_moves() external {
        require(!token.isAnnounced(1));
        VM.expectEmit(address(token));
        emit IERC721.Transfer(address(0), address(this), 1);
        VM.expectEmit(address(token));
        emit IERC721.Transfer(address(this), FRIEND, 1);
        token.transferFrom(address(this), FRIEND, 1);
        require(token.isAnnounced(1));
        VM.recordLogs();
        VM.prank(FRIEND);
        token.transferFrom(FRIEND, OTHER, 1);
        require(transfersFromZero() == 0);
    }

    function test_anyone_announces_a_token_once() external {
        uint256[] memory ids = new uint256[](3);
        (ids[0], ids[1], ids[2]) = (2, 1, 2);
        uint256 before = token.isAnnounced(2) ? 1 : 0;
        VM.recordLogs();
        VM.prank(STRANGER);
        token.announce(ids);
        require(transfersFromZero() == 2 - before && token.isAnnounced(1) && token.isAnnounced(2));
        token.announce(ids);
        require(transfersFromZero() == 0);
        ids[1] = ABSENT;
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, ABSENT));
        token.announce(ids);
    }

    /// @dev Of the logs since the last look.
    function transfersFromZero() private returns (uint256 count) {
        Vm.Log[] memory logs = VM.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            bool isTransfer = logs[i].emitter == address(token) && logs[i].topics[0] == IERC721.Transfer.selector;
            if (isTransfer && logs[i].topics[1] == 0) ++count;
        }
    }

    function test_nobody_transfers_what_is_not_theirs() external {
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, address(this), 2));
        token.transferFrom(OTHER, address(this), 2);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, OTHER, 1, address(this)));
        token.transferFrom(OTHER, FRIEND, 1);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        token.transferFrom(address(this), address(0), 1);
    }

    function test_precompile_refuses_everyone_but_the_facade() external {
        VM.expectRevert(abi.encodeWithSelector(IDatanets.NotFacade.selector, address(this)));
        DATANETS.transferDatanet(address(this), FRIEND, 1);
        VM.expectRevert(abi.encodeWithSelector(IDatanets.NotFacade.selector, address(this)));
        DATANETS.transferContribution(address(this), FRIEND, 1);
    }

    function test_approval_ends_with_a_transfer() external {
        VM.expectEmit(address(token));
        emit IERC721.Approval(address(this), FRIEND, 1);
        token.approve(FRIEND, 1);
        require(token.getApproved(1) == FRIEND);
        VM.prank(FRIEND);
        token.transferFrom(address(this), OTHER, 1);
        require(token.ownerOf(1) == OTHER && token.getApproved(1) == address(0));
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, FRIEND, 1));
        VM.prank(FRIEND);
        token.transferFrom(OTHER, FRIEND, 1);
    }

    function test_approval_is_for_one_token_and_can_be_taken_back() external {
        token.approve(FRIEND, 1);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, FRIEND, 2));
        VM.prank(FRIEND);
        token.transferFrom(OTHER, FRIEND, 2);
        token.approve(address(0), 1);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, FRIEND, 1));
        VM.prank(FRIEND);
        token.transferFrom(address(this), FRIEND, 1);
    }

    function test_only_owner_and_operators_approve() external {
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, STRANGER));
        VM.prank(STRANGER);
        token.approve(STRANGER, 1);
        token.approve(FRIEND, 1);
        // Being approved for a token is not the right to approve others.
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, FRIEND));
        VM.prank(FRIEND);
        token.approve(STRANGER, 1);
    }

    function test_operator_acts_for_its_owner_until_dismissed() external {
        VM.expectEmit(address(token));
        emit IERC721.ApprovalForAll(address(this), FRIEND, true);
        token.setApprovalForAll(FRIEND, true);
        require(token.isApprovedForAll(address(this), FRIEND) && !token.isApprovedForAll(OTHER, FRIEND));
        VM.prank(FRIEND);
        token.approve(STRANGER, 1);
        require(token.getApproved(1) == STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, FRIEND, 2));
        VM.prank(FRIEND);
        token.transferFrom(OTHER, FRIEND, 2);
        token.setApprovalForAll(FRIEND, false);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, FRIEND, 1));
        VM.prank(FRIEND);
        token.transferFrom(address(this), FRIEND, 1);
    }

    function test_operator_transfers() external {
        token.setApprovalForAll(FRIEND, true);
        VM.prank(FRIEND);
        token.transferFrom(address(this), STRANGER, 1);
        require(token.ownerOf(1) == STRANGER);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidOperator.selector, address(0)));
        token.setApprovalForAll(address(0), true);
    }

    function test_safe_transfer_asks_the_receiver() external {
        TakingReceiver receiver = new TakingReceiver();
        token.approve(FRIEND, 1);
        VM.prank(FRIEND);
        token.safeTransferFrom(address(this), address(receiver), 1, "hello");
        require(token.ownerOf(1) == address(receiver));
        require(receiver.operator() == FRIEND && receiver.from() == address(this) && receiver.tokenId() == 1);
        require(keccak256(receiver.data()) == keccak256("hello"));
    }

    function test_safe_transfer_without_data_and_to_an_account() external {
        TakingReceiver receiver = new TakingReceiver();
        token.safeTransferFrom(address(this), address(receiver), 1);
        require(receiver.tokenId() == 1 && receiver.data().length == 0);
        VM.prank(OTHER);
        token.safeTransferFrom(OTHER, FRIEND, 2);
        require(token.ownerOf(2) == FRIEND);
    }

    function test_receiver_that_refuses_gets_nothing() external {
        address[2] memory receivers = [address(new RefusingReceiver()), address(token)];
        for (uint256 i; i < receivers.length; ++i) {
            VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, receivers[i]));
            token.safeTransferFrom(address(this), receivers[i], 1);
        }
        address reverting = address(new RevertingReceiver());
        VM.expectRevert(abi.encodeWithSelector(RevertingReceiver.NotToday.selector));
        token.safeTransferFrom(address(this), reverting, 1);
        require(token.ownerOf(1) == address(this) && token.balanceOf(address(this)) == 1);
    }

    function test_reentering_receiver_acts_as_owner_and_nothing_more() external {
        ReenteringReceiver receiver = new ReenteringReceiver(FRIEND);
        token.approve(address(receiver), 1);
        token.safeTransferFrom(address(this), address(receiver), 1);
        require(receiver.passedOn() && !receiver.tookBack());
        require(token.ownerOf(1) == FRIEND && token.getApproved(1) == address(0));
        require(token.balanceOf(address(receiver)) == 0 && token.balanceOf(FRIEND) == 1);
    }

    function test_interfaces() external view {
        require(token.supportsInterface(0x01ffc9a7) && type(IERC165).interfaceId == 0x01ffc9a7);
        require(token.supportsInterface(0x80ac58cd) && type(IERC721).interfaceId == 0x80ac58cd);
        require(token.supportsInterface(0x5b5e139f) && type(IERC721Metadata).interfaceId == 0x5b5e139f);
        require(token.supportsInterface(0x2a55205a) && type(IERC2981).interfaceId == 0x2a55205a);
        // No enumeration, and the id that ERC-165 reserves for no.
        require(!token.supportsInterface(0x780e9d63) && !token.supportsInterface(0xffffffff));
    }

    function test_royalty_is_a_fortieth_of_any_price(uint256 price) external view {
        (, uint256 amount) = token.royaltyInfo(1, price);
        // Floor of price / 40, without an overflow.
        require(amount == price / 40);
    }
}
