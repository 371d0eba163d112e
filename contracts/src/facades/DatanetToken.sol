// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {DATANETS, PAYOUTS} from "../OpenLedger.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {PrecompileToken} from "./PrecompileToken.sol";

/// @title DatanetToken
/// @notice The Datanets as ERC-721 tokens; a token's id is its Datanet's number.
/// Predeploy at 0x4F50454E00000000000000000000000000000101.
/// @dev Royalty: the sale of a Datanet owes 2.5 % to the platform (`IPayouts.platform`).
contract DatanetToken is PrecompileToken {
    function name() external pure returns (string memory) {
        return "OpenLedger Datanet";
    }

    function symbol() external pure returns (string memory) {
        return "DATANET";
    }

    /// @notice The `metadataURI` that the Datanet was created with.
    function tokenURI(uint256 tokenId) external view returns (string memory) {
        _requireOwned(tokenId);
        return DATANETS.datanetOf(_toId(tokenId)).metadataURI;
    }

    function _ownerOf(uint64 id) internal view override returns (address) {
        try DATANETS.datanetOf(id) returns (IDatanets.Datanet memory datanet) {
            return datanet.owner;
        } catch (bytes memory reason) {
            _revertUnless(IDatanets.UnknownDatanet.selector, reason);
            return address(0);
        }
    }

    function _balanceOf(address owner) internal view override returns (uint256) {
        return DATANETS.datanetBalanceOf(owner);
    }

    function _transfer(address from, address to, uint64 id) internal override {
        DATANETS.transferDatanet(from, to, id);
    }

    function _royaltyReceiver(uint64) internal view override returns (address) {
        return PAYOUTS.platform();
    }
}
