// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS} from "../OpenLedger.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";

/// @title Licences
/// @notice Terms to contribute under, what they permit to whom, and what they leave a model to do.
library Licences {
    /// Uses, as `IDatanets.LICENCE_TRAIN` and its kin give them.
    uint16 internal constant TRAIN = 1;
    uint16 internal constant SERVE = 2;
    uint16 internal constant RESELL = 4;
    uint16 internal constant DERIVE = 8;

    /// Purposes, as `IDatanets.PURPOSE_COMMERCIAL` and its kin give them.
    uint32 internal constant COMMERCIAL = 1;
    uint32 internal constant RESEARCH = 2;
    uint32 internal constant EDUCATION = 4;
    uint32 internal constant PUBLIC_SECTOR = 8;
    uint32 internal constant MEDICAL = 16;
    uint32 internal constant PERSONAL = 32;

    /// A licence ended what the model may do.
    error ModelEnded(uint64 model, uint64 validUntil, uint64 endedBy);
    /// Licences were withdrawn that the model has not looked at: `IAttribution.refreshModel` makes it look.
    error ModelStale(uint64 model, uint64 pending);
    /// The model is registered for other purposes. Both are bit sets in which 0 means any.
    error PurposeNotCovered(uint64 model, uint32 covered, uint32 asked);
    error RegionNotCovered(uint64 model, uint32 covered, uint32 asked);

    // ── Terms ──────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice These uses, to everyone, for every purpose, everywhere, for ever.
    function open(uint16 uses) internal pure returns (IDatanets.Terms memory terms) {
        terms.uses = uses;
    }

    /// @notice These uses for these purposes, to everyone, until `expiry` (0: for ever).
    function limited(uint16 uses, uint32 purposes, uint64 expiry) internal pure returns (IDatanets.Terms memory terms) {
        (terms.uses, terms.purposes, terms.expiry) = (uses, purposes, expiry);
    }

    /// @notice These uses to whoever pays `fee` wei for a grant.
    function forSale(uint16 uses, uint128 fee) internal pure returns (IDatanets.Terms memory terms) {
        (terms.uses, terms.fee) = (uses, fee);
    }

    /// @notice Whether `account` may use a contribution in a model for such purposes, and until when (0: without end).
    /// One call.
    function permits(uint64 contribution, address account, uint16 use, uint32 purposes)
        internal
        view
        returns (bool permitted, uint64 until)
    {
        return DATANETS.permits(contribution, account, use, purposes, 0, false);
    }

    // ── Models ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Whether the licences let a model serve now. One call.
    function serves(uint64 model) internal view returns (bool) {
        IAttribution.Standing memory standing = ATTRIBUTION.standingOf(model);
        return standing.pending == 0 && (standing.validUntil == 0 || block.timestamp <= standing.validUntil);
    }

    /// @notice Reverts unless the licences let a model serve now, for all of the purposes and regions asked.
    /// @dev One call. Reverts with `ModelStale`, `ModelEnded`, `PurposeNotCovered`, `RegionNotCovered`.
    function requireServing(uint64 model, uint32 purposes, uint32 regions) internal view {
        requireServing(model, ATTRIBUTION.standingOf(model), purposes, regions);
    }

    /// @notice The same of a standing that is at hand. No call.
    function requireServing(uint64 model, IAttribution.Standing memory standing, uint32 purposes, uint32 regions)
        internal
        view
    {
        require(standing.pending == 0, ModelStale(model, standing.pending));
        bool ended = standing.validUntil != 0 && block.timestamp > standing.validUntil;
        require(!ended, ModelEnded(model, standing.validUntil, standing.endedBy));
        uint32 covered = standing.extras.purposes;
        require(within(purposes, covered), PurposeNotCovered(model, covered, purposes));
        covered = standing.extras.regions;
        require(within(regions, covered), RegionNotCovered(model, covered, regions));
    }

    /// @notice Whether purposes (or regions) keep within a limit, as the chain compares them: a limit of 0 is none, and
    /// asking 0, which means any, keeps within none but that.
    function within(uint32 asked, uint32 limit) internal pure returns (bool) {
        return limit == 0 || (asked != 0 && asked & ~limit == 0);
    }
}
