// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {DATANETS} from "../OpenLedger.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {PrecompileToken} from "./PrecompileToken.sol";

/// @title ContributionToken
/// @notice The contributions as ERC-721 tokens; a token's id is its contribution's number. Its owner holds the title, and
/// with it what the co-owners leave of what the contribution earns; what was earned before a transfer stays with who
/// owned then. Predeploy at 0x4F50454E00000000000000000000000000000102.
/// @dev Royalty: the sale of a contribution owes 2.5 % to the owner of its Datanet.
contract ContributionToken is PrecompileToken {
    function name() external pure returns (string memory) {
        return "OpenLedger Contribution";
    }

    function symbol() external pure returns (string memory) {
        return "CONTRIB";
    }

    /// @notice A data URI made from what the chain records: Datanet, rows, licence bits, expiry, status and Merkle root.
    function tokenURI(uint256 tokenId) external view returns (string memory) {
        _requireOwned(tokenId);
        IDatanets.Contribution memory contribution = DATANETS.contributionOf(_toId(tokenId));
        bytes memory json = bytes.concat(
            abi.encodePacked('{"name":"Contribution ', Strings.toString(tokenId)),
            abi.encodePacked('","attributes":[', _attribute("datanet", contribution.datanet)),
            abi.encodePacked(",", _attribute("rows", contribution.rows)),
            abi.encodePacked(",", _attribute("licence", contribution.licence)),
            abi.encodePacked(",", _attribute("expiry", contribution.expiry)),
            abi.encodePacked(",", _attribute("priority", contribution.priority)),
            abi.encodePacked(",", _attribute("status", uint256(contribution.status))),
            abi.encodePacked('],"root":"', Strings.toHexString(uint256(contribution.root), 32), '"}')
        );
        return string.concat("data:application/json;base64,", Base64.encode(json));
    }

    function _ownerOf(uint64 id) internal view override returns (address) {
        try DATANETS.contributionOf(id) returns (IDatanets.Contribution memory contribution) {
            return contribution.owner;
        } catch (bytes memory reason) {
            _revertUnless(IDatanets.UnknownContribution.selector, reason);
            return address(0);
        }
    }

    function _balanceOf(address owner) internal view override returns (uint256) {
        return DATANETS.contributionBalanceOf(owner);
    }

    function _transfer(address from, address to, uint64 id) internal override {
        DATANETS.transferContribution(from, to, id);
    }

    function _royaltyReceiver(uint64 id) internal view override returns (address) {
        return DATANETS.datanetOf(DATANETS.contributionOf(id).datanet).owner;
    }

    function _attribute(string memory trait, uint256 value) private pure returns (bytes memory) {
        return abi.encodePacked('{"trait_type":"', trait, '","value":', Strings.toString(value), "}");
    }
}
