// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsContributions} from "./DatanetsContributions.sol";
import {IAttributionInternal, IPayoutsInternal} from "./Internal.sol";

/// @title Datanets: who earns, and what was accrued.
abstract contract DatanetsOwners is DatanetsContributions {
    function ownersOf(uint64 contribution) external view override returns (OwnerShare[] memory) {
        StoredContribution storage c = contributionAt(contribution);
        return ownersIn(contribution, c.sets - 1);
    }

    function ownersAt(uint64 contribution, uint64 receipt) external view override returns (OwnerShare[] memory) {
        StoredContribution storage c = contributionAt(contribution);
        uint32 index = c.sets - 1;
        while (index > 0 && _ownerSets[contribution][index].sinceReceipt >= receipt) index -= 1;
        return ownersIn(contribution, index);
    }

    function transferContribution(address from, address to, uint64 contribution) external override {
        if (msg.sender != CONTRIBUTION_TOKEN) revert NotFacade(msg.sender);
        StoredContribution storage c = contributionAt(contribution);
        if (c.owner != from) revert NotOwner(c.owner, from);
        if (to == address(0)) revert ZeroAddress();
        drawAll(contribution);

        OwnerShare[] memory old = ownersIn(contribution, c.sets - 1);
        OwnerShare[] memory owners = new OwnerShare[](old.length);
        owners[0] = OwnerShare(to, old[0].bps);
        uint256 count = 1;
        for (uint256 i = 1; i < old.length; i++) {
            if (old[i].account == to) owners[0].bps += old[i].bps;
            else owners[count++] = old[i];
        }
        c.owner = to;
        _contributionBalanceOf[from] -= 1;
        _contributionBalanceOf[to] += 1;
        emit ContributionTransferred(contribution, from, to);
        addSet(contribution, owners, count);
    }

    function transferShare(uint64 contribution, address to, uint16 bps) external override {
        StoredContribution storage c = contributionAt(contribution);
        if (to == address(0)) revert ZeroAddress();
        OwnerShare[] memory old = ownersIn(contribution, c.sets - 1);
        uint16 held = 0;
        for (uint256 i = 0; i < old.length; i++) {
            if (old[i].account == msg.sender) held = old[i].bps;
        }
        if (bps == 0 || bps > held) revert ShareTooSmall(held, bps);

        (OwnerShare[] memory owners, uint256 count) = moved(old, msg.sender, to, bps);
        if (count - 1 > 15) revert TooManyOwners(15, count - 1);
        drawAll(contribution);
        addSet(contribution, owners, count);
    }

    /// The owners after a move; the title stays even with nothing.
    function moved(OwnerShare[] memory old, address from, address to, uint16 bps)
        private
        pure
        returns (OwnerShare[] memory owners, uint256 count)
    {
        OwnerShare[] memory all = new OwnerShare[](old.length + 1);
        bool known = false;
        for (uint256 i = 0; i < old.length; i++) {
            all[i] = OwnerShare(old[i].account, old[i].bps);
            if (all[i].account == from) all[i].bps -= bps;
            if (all[i].account == to) {
                all[i].bps += bps;
                known = true;
            }
        }
        if (!known) all[old.length] = OwnerShare(to, bps);
        owners = new OwnerShare[](all.length);
        for (uint256 i = 0; i < all.length; i++) {
            if (i == 0 || all[i].bps != 0) owners[count++] = all[i];
        }
    }

    /// The first `count` of `owners` are the contribution's from the next receipt on.
    function addSet(uint64 contribution, OwnerShare[] memory owners, uint256 count) private {
        uint32 index = _contributionOf[contribution].sets;
        _contributionOf[contribution].sets = index + 1;
        OwnerSet storage s = _ownerSets[contribution][index];
        s.title = owners[0].account;
        s.titleBps = owners[0].bps;
        s.coOwners = uint8(count - 1);
        s.sinceReceipt = IAttributionInternal(ATTRIBUTION).receipts();
        for (uint256 i = 1; i < count; i++) {
            s.others[i - 1] = CoOwner(owners[i].account, owners[i].bps);
        }
        emit OwnersSet(contribution, index, ownersIn(contribution, index));
    }

    // ── What was accrued ───────────────────────────────────────────────────────────────────────────────────────────

    function accrue(uint64 contribution, uint256 amount, bool counted) external onlyPrecompiles {
        addAccrued(contribution, amount, counted);
    }

    function drawEarner(uint64 contribution) external onlyPrecompiles returns (uint256) {
        return drawAll(contribution);
    }

    function addAccrued(uint64 contribution, uint256 amount, bool counted) internal {
        StoredEarner storage e = _earnerOf[contribution];
        if (counted) e.receipts += 1;
        uint256 sum = e.accrued + amount;
        if (sum < 2 ** 96) {
            e.accrued = uint96(sum);
        } else {
            e.accrued = 0;
            divide(contribution, sum);
        }
    }

    function drawAll(uint64 contribution) internal returns (uint256 amount) {
        amount = _earnerOf[contribution].accrued;
        _earnerOf[contribution].accrued = 0;
        divide(contribution, amount);
    }

    function divide(uint64 contribution, uint256 amount) private {
        OwnerShare[] memory owners = ownersIn(contribution, _contributionOf[contribution].sets - 1);
        uint256 bps = 0;
        uint256 given = 0;
        for (uint256 i = 0; i < owners.length; i++) {
            bps += owners[i].bps;
            uint256 part = amount * bps / 10_000 - given;
            given += part;
            if (part > 0) IPayoutsInternal(PAYOUTS).creditDrawn(contribution, owners[i].account, part);
        }
    }
}
