// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION} from "../OpenLedger.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";

/// @title Lineage
/// @notice From an answer to the Datanets it comes from. Sets of Datanets are arrays in ascending order, as the chain
/// gives them; `requireSet` checks one that came from elsewhere.
/// @dev `read` takes the whole lineage in one call, at most 256 shares; memory and gas grow with the shares. What follows
/// works on it in memory.
library Lineage {
    /// The model was trained on data of a Datanet that is not in the set.
    error NotApproved(uint64 model, uint64 datanet);
    /// Rows of the set's Datanets shaped too little of the answer.
    error TooLittle(uint32 requiredPpm, uint32 givenPpm);
    error NotASet(uint256 index);

    /// As many shares as a receipt can name.
    uint256 internal constant ALL = 256;

    /// @notice Model, dataset versions and every inline share of an answer, with the rows' owners. One call.
    function read(bytes32 requestId) internal view returns (IAttribution.Lineage memory) {
        return ATTRIBUTION.lineageOf(requestId, 0, ALL);
    }

    /// @notice The versions of Datanets that a model is trained on, ancestors' included, ascending by Datanet. One call.
    function datasetsOf(uint64 model) internal view returns (IAttribution.DatasetRef[] memory) {
        return ATTRIBUTION.modelOf(model).spec.datasets;
    }

    /// @notice Reverts with `NotApproved` where the answer's model was trained on anything outside the set.
    function requireOnly(IAttribution.Lineage memory lineage, uint64[] memory datanets) internal pure {
        requireOnly(lineage.model, lineage.datasets, datanets);
    }

    /// @notice Reverts with `NotApproved` where one of a model's datasets is outside the set.
    function requireOnly(uint64 model, IAttribution.DatasetRef[] memory datasets, uint64[] memory datanets)
        internal
        pure
    {
        uint256 place = 0;
        for (uint256 i = 0; i < datasets.length; ++i) {
            uint64 datanet = datasets[i].datanet;
            while (place < datanets.length && datanets[place] < datanet) ++place;
            require(place < datanets.length && datanets[place] == datanet, NotApproved(model, datanet));
        }
    }

    /// @notice Part of the answer, in parts per million, that rows of the set's Datanets shaped. Only shares that the
    /// receipt names count: not its long tail, and not what no row earned.
    function ppmFrom(IAttribution.Lineage memory lineage, uint64[] memory datanets) internal pure returns (uint32 ppm) {
        for (uint256 i = 0; i < lineage.entries.length; ++i) {
            if (contains(datanets, lineage.entries[i].datanet)) ppm += lineage.entries[i].ppm;
        }
    }

    /// @notice Reverts with `TooLittle` where `ppmFrom` is below `minimumPpm`.
    function requireFrom(IAttribution.Lineage memory lineage, uint64[] memory datanets, uint32 minimumPpm)
        internal
        pure
    {
        uint32 ppm = ppmFrom(lineage, datanets);
        require(ppm >= minimumPpm, TooLittle(minimumPpm, ppm));
    }

    /// @notice By halving, so that many shares stay cheap to look up.
    function contains(uint64[] memory datanets, uint64 datanet) internal pure returns (bool) {
        uint256 low = 0;
        uint256 high = datanets.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (datanets[middle] == datanet) return true;
            if (datanets[middle] < datanet) low = middle + 1;
            else high = middle;
        }
        return false;
    }

    /// @notice Reverts with `NotASet` at the first that is not above the one before it.
    function requireSet(uint64[] memory datanets) internal pure {
        for (uint256 i = 1; i < datanets.length; ++i) {
            require(datanets[i] > datanets[i - 1], NotASet(i));
        }
    }
}
