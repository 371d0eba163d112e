// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsOwners} from "./DatanetsOwners.sol";
import {IAttributionInternal} from "./Internal.sol";

/// @title Datanets: public licences, grants, and their ends.
abstract contract DatanetsGrants is DatanetsOwners {
    function isOpen(uint64 contribution, uint16 use, uint32 purposes, uint32 regions, bool shareAlike)
        internal
        view
        returns (bool, uint64)
    {
        StoredContribution storage c = _contributionOf[contribution];
        bool permitted = c.uses & use == use && c.fee == 0;
        bool inTime = (c.expiry == 0 || now64() <= c.expiry) && (c.withdrawnAfter == 0 || now64() <= c.withdrawnAfter);
        bool limited = !within(purposes, c.purposes) || !within(regions, c.regions);
        bool dutiful = shareAlike || c.flags & SHARE_ALIKE == 0;
        if (permitted && inTime && !limited && dutiful) return (true, min0(c.expiry, c.withdrawnAfter));
        return (false, 0);
    }

    function isGranted(uint64 contribution, address account, uint16 use, uint32 purposes, uint32 regions)
        internal
        view
        returns (bool, uint64)
    {
        StoredGrant storage g = _grantOf[contribution][account];
        bool inTime = g.until == 0 || now64() <= g.until;
        bool limited = !keeps(purposes, g.purposes) || !keeps(regions, g.regions);
        if (g.uses != 0 && g.uses & use == use && inTime && !limited) return (true, g.until);
        return (false, 0);
    }

    /// Grants store "all" as all bits, and may lose every bit.
    function keeps(uint32 a, uint32 stored) private pure returns (bool) {
        return stored == ALL_BITS || (a != 0 && a & ~stored == 0);
    }

    function permits(uint64 contribution, address account, uint16 use, uint32 purposes, uint32 regions, bool shareAlike)
        external
        view
        override
        returns (bool permitted, uint64 until)
    {
        contributionAt(contribution);
        (permitted, until) = isOpen(contribution, use, purposes, regions, shareAlike);
        if (!permitted) (permitted, until) = isGranted(contribution, account, use, purposes, regions);
    }

    function orAll(uint32 bits) private pure returns (uint32) {
        return bits == 0 ? ALL_BITS : bits;
    }

    function orZero(uint32 bits) private pure returns (uint32) {
        return bits == ALL_BITS ? 0 : bits;
    }

    function checkTitle(uint64 contribution) private view returns (StoredContribution storage c) {
        c = contributionAt(contribution);
        if (c.owner != msg.sender) revert NotOwner(c.owner, msg.sender);
    }

    function storeGrant(uint64 contribution, address grantee, Grant memory terms) private {
        StoredGrant storage g = _grantOf[contribution][grantee];
        g.until = terms.until;
        g.purposes = orAll(terms.purposes);
        g.regions = orAll(terms.regions);
        g.uses = terms.uses;
    }

    function grant(uint64 contribution, address grantee, Grant memory terms) public override {
        checkTitle(contribution);
        if (grantee == address(0)) revert ZeroAddress();
        if (terms.uses == 0) revert EmptyGrant();
        checkUses(terms.uses);
        if (terms.until != 0 && now64() > terms.until) revert LicenceExpired(contribution, terms.until);
        storeGrant(contribution, grantee, terms);
        emit Granted(contribution, grantee, terms, 0);
    }

    function buyGrant(uint64 contribution) external payable override {
        StoredContribution storage c = contributionAt(contribution);
        bool gone = c.status == uint8(ContributionStatus.Tombstoned) || (c.expiry != 0 && now64() > c.expiry)
            || (c.withdrawnAfter != 0 && now64() > c.withdrawnAfter);
        if (c.fee == 0 || c.uses == 0 || gone) revert NotForSale(contribution);
        if (msg.value != c.fee) revert WrongFee(c.fee, msg.value);
        Grant memory terms = Grant(c.uses, c.purposes, c.regions, min0(c.expiry, c.withdrawnAfter));
        storeGrant(contribution, msg.sender, terms);
        emit Granted(contribution, msg.sender, terms, msg.value);
        addAccrued(contribution, msg.value, false);
        pay(PAYOUTS, msg.value);
    }

    /// The last second at which something holds that ends now or later.
    function lastFrom(uint64 lastValid) private view returns (uint64) {
        return lastValid >= now64() ? lastValid : now64() - 1;
    }

    function revokeGrant(uint64 contribution, address grantee, uint64 model, uint32 purposes, uint64 lastValid)
        external
        override
    {
        checkTitle(contribution);
        StoredGrant storage g = _grantOf[contribution][grantee];
        if (g.uses == 0) revert UnknownGrant(contribution, grantee);
        uint64 last = lastFrom(lastValid);
        if (model == 0) {
            if (purposes == 0 || g.purposes & ~purposes == 0) g.until = min0(g.until, last);
            else g.purposes &= ~purposes;
        }
        emit GrantRevoked(contribution, grantee, model, purposes, last);
        for (uint256 i = 0; i < g.models; i++) {
            uint64 relying = _grantModels[contribution][grantee][i];
            uint32 its = IAttributionInternal(ATTRIBUTION).purposesOf(relying);
            bool meant = model == 0 || relying == model;
            bool hit = purposes == 0 || its == 0 || its & purposes != 0;
            if (meant && hit) IAttributionInternal(ATTRIBUTION).limit(relying, last, contribution);
        }
    }

    function grantOf(uint64 contribution, address grantee)
        external
        view
        override
        returns (Grant memory terms, uint8 models)
    {
        contributionAt(contribution);
        StoredGrant storage g = _grantOf[contribution][grantee];
        return (Grant(g.uses, orZero(g.purposes), orZero(g.regions), g.until), g.models);
    }

    function withdrawLicence(uint64 contribution, uint64 lastValid) external override {
        StoredContribution storage c = checkTitle(contribution);
        if (c.flags & REVOCABLE == 0) revert NotRevocable(contribution);
        if (c.withdrawnAfter != 0) revert AlreadyWithdrawn(contribution);
        uint64 last = lastFrom(lastValid);
        c.withdrawnAfter = last;
        StoredDatanet storage d = _datanetOf[c.datanet];
        _withdrawals[c.datanet][d.withdrawals] = contribution;
        d.withdrawals += 1;
        emit LicenceWithdrawn(contribution, c.datanet, last);
    }
}
