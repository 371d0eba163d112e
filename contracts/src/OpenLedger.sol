// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IAttribution} from "./interfaces/IAttribution.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IDatanets} from "./interfaces/IDatanets.sol";
import {IPayouts} from "./interfaces/IPayouts.sol";

/// @dev Who contributed which rows, and under which licence.
IDatanets constant DATANETS = IDatanets(0x4F50454E00000000000000000000000000000001);

/// @dev Models, bonds, and the receipts that say which rows shaped an answer.
IAttribution constant ATTRIBUTION = IAttribution(0x4f50454E00000000000000000000000000000002);

/// @dev Escrowed requests, what everyone is owed, and claims.
IPayouts constant PAYOUTS = IPayouts(0x4F50454e00000000000000000000000000000003);

/// @dev The Datanets as ERC-721 tokens.
address constant DATANET_TOKEN = 0x4f50454e00000000000000000000000000000101;

/// @dev The contributions as ERC-721 tokens.
address constant CONTRIBUTION_TOKEN = 0x4f50454E00000000000000000000000000000102;

/// @dev Claims by signature.
address constant CLAIM_ROUTER = 0x4f50454e00000000000000000000000000000103;

/// @dev Where challenged receipts are judged.
ICourt constant COURT = ICourt(0x4f50454e00000000000000000000000000000104);

/// @title OpenLedger
/// @notice The hashes that callers of the precompiles compute themselves.
library OpenLedger {
    /// @notice What `IDatanets.commit` takes for rows that `owner` will reveal.
    function commitmentOf(uint64 datanet, address owner, bytes32 root, bytes32 salt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, datanet, owner, root, salt));
    }

    /// @notice The name under which `IPayouts.request` records a request of `payer`.
    function requestIdOf(address payer, uint64 model, bytes32 promptHash, uint64 deadline)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, payer, model, promptHash, deadline));
    }
}
