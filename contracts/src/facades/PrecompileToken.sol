// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/interfaces/IERC721Metadata.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";

/// @title PrecompileToken
/// @notice ERC-721 over things whose owners a precompile records. The precompile is the one source of ownership and
/// takes transfers from this contract alone; approvals, receiver callbacks and `Transfer` events are here.
/// @dev Tokens come to be in the precompile, which calls no contract. A token's `Transfer` from the zero address is
/// therefore emitted when someone announces it, and before its first transfer at the latest: read alone, this contract's
/// events give every owner there was. A predeploy without constructor; storage: slot 0 approvals, slot 1 operators,
/// slot 2 which tokens were announced, 256 a word.
abstract contract PrecompileToken is IERC721Metadata, IERC2981, IERC721Errors {
    /// @dev What a sale owes, in basis points of its price.
    uint256 internal constant ROYALTY_BPS = 250;

    mapping(uint256 tokenId => address) private _approvals;
    mapping(address owner => mapping(address operator => bool)) private _operators;
    mapping(uint256 word => uint256 bits) private _announced;

    /// @inheritdoc IERC721
    function balanceOf(address owner) external view returns (uint256) {
        require(owner != address(0), ERC721InvalidOwner(owner));
        return _balanceOf(owner);
    }

    /// @inheritdoc IERC721
    function ownerOf(uint256 tokenId) external view returns (address) {
        return _requireOwned(tokenId);
    }

    /// @notice Emits `Transfer` from the zero address for those of the tokens for which that was not done. Anyone may.
    function announce(uint256[] calldata tokenIds) external {
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            _announce(_requireOwned(tokenIds[i]), tokenIds[i]);
        }
    }

    /// @notice Whether the token's `Transfer` from the zero address was emitted.
    function isAnnounced(uint256 tokenId) public view returns (bool) {
        return _announced[tokenId >> 8] & (1 << (tokenId & 0xff)) != 0;
    }

    /// @inheritdoc IERC721
    function approve(address to, uint256 tokenId) external {
        address owner = _requireOwned(tokenId);
        require(msg.sender == owner || isApprovedForAll(owner, msg.sender), ERC721InvalidApprover(msg.sender));
        _approvals[tokenId] = to;
        emit Approval(owner, to, tokenId);
    }

    /// @inheritdoc IERC721
    function getApproved(uint256 tokenId) external view returns (address) {
        _requireOwned(tokenId);
        return _approvals[tokenId];
    }

    /// @inheritdoc IERC721
    function setApprovalForAll(address operator, bool approved) external {
        require(operator != address(0), ERC721InvalidOperator(operator));
        _operators[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    /// @inheritdoc IERC721
    function isApprovedForAll(address owner, address operator) public view returns (bool) {
        return _operators[owner][operator];
    }

    /// @inheritdoc IERC721
    function transferFrom(address from, address to, uint256 tokenId) public {
        require(to != address(0), ERC721InvalidReceiver(to));
        address owner = _requireOwned(tokenId);
        require(
            msg.sender == owner || msg.sender == _approvals[tokenId] || isApprovedForAll(owner, msg.sender),
            ERC721InsufficientApproval(msg.sender, tokenId)
        );
        require(from == owner, ERC721IncorrectOwner(from, tokenId, owner));

        delete _approvals[tokenId];
        _announce(owner, tokenId);
        _transfer(from, to, _toId(tokenId));
        emit Transfer(from, to, tokenId);
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId) external {
        safeTransferFrom(from, to, tokenId, "");
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory data) public {
        transferFrom(from, to, tokenId);
        // Last: whatever the receiver does, it does as the owner that the precompile already records.
        ERC721Utils.checkOnERC721Received(msg.sender, from, to, tokenId, data);
    }

    /// @inheritdoc IERC2981
    /// @dev 2.5 % of the price, rounded down, to the account that `_royaltyReceiver` names; nothing where there is none.
    function royaltyInfo(uint256 tokenId, uint256 salePrice) external view returns (address receiver, uint256 amount) {
        _requireOwned(tokenId);
        receiver = _royaltyReceiver(_toId(tokenId));
        if (receiver == address(0)) return (receiver, 0);
        // Split, so that no price overflows.
        amount = (salePrice / 10_000) * ROYALTY_BPS + ((salePrice % 10_000) * ROYALTY_BPS) / 10_000;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC721).interfaceId
            || interfaceId == type(IERC721Metadata).interfaceId || interfaceId == type(IERC2981).interfaceId;
    }

    function _announce(address owner, uint256 tokenId) private {
        if (isAnnounced(tokenId)) return;
        _announced[tokenId >> 8] |= 1 << (tokenId & 0xff);
        emit Transfer(address(0), owner, tokenId);
    }

    /// @dev The owner that the precompile records; zero for what it does not know.
    function _ownerOf(uint64 id) internal view virtual returns (address);

    function _balanceOf(address owner) internal view virtual returns (uint256);

    /// @dev Tells the precompile, which checks `from` again.
    function _transfer(address from, address to, uint64 id) internal virtual;

    function _royaltyReceiver(uint64 id) internal view virtual returns (address);

    function _requireOwned(uint256 tokenId) internal view returns (address owner) {
        if (tokenId <= type(uint64).max) owner = _ownerOf(_toId(tokenId));
        require(owner != address(0), ERC721NonexistentToken(tokenId));
    }

    /// @dev Only for what `_requireOwned` admits.
    function _toId(uint256 tokenId) internal pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(tokenId);
    }

    /// @dev Passes on what a precompile reverted with, but for the one error that means "there is no such token".
    function _revertUnless(bytes4 unknown, bytes memory reason) internal pure {
        // forge-lint: disable-next-line(unsafe-typecast)
        if (reason.length >= 4 && bytes4(reason) == unknown) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
