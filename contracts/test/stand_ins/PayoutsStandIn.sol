// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, CLAIM_ROUTER, DATANETS, OpenLedger} from "../../src/OpenLedger.sol";
import {IAttribution} from "../../src/interfaces/IAttribution.sol";
import {IDatanets} from "../../src/interfaces/IDatanets.sol";
import {IPayouts} from "../../src/interfaces/IPayouts.sol";
import {AttributionStandIn} from "./AttributionStandIn.sol";

/// @dev The escrow and the claims of the Payouts precompile, and what a test says accounts are owed.
contract PayoutsStandIn {
    uint64 private constant MINIMUM_DEADLINE = 30;
    uint64 private constant MAXIMUM_DEADLINE = 86_400;
    address public constant platform = address(0x9147);

    mapping(bytes32 => IPayouts.Request) private requests;
    mapping(address => uint256) public creditOf;
    mapping(uint64 contribution => uint256) private accrued;

    /// @dev Only here: the value is owed to `account`.
    function credit(address account) external payable {
        creditOf[account] += msg.value;
    }

    /// @dev Only here: a contribution has earned the value.
    function accrue(uint64 contribution) external payable {
        accrued[contribution] += msg.value;
    }

    /// @dev Only here: an answer came, and what it did not cost goes back to the payer.
    function settle(bytes32 requestId, uint256 fee) external {
        IPayouts.Request storage found = _open(requestId);
        found.status = IPayouts.Status.Settled;
        AttributionStandIn(address(ATTRIBUTION)).setFee(requestId, fee);
        _pay(found.payer, found.maxFee - fee);
    }

    function deadlineBounds() external pure returns (uint64 minimum, uint64 maximum) {
        return (MINIMUM_DEADLINE, MAXIMUM_DEADLINE);
    }

    function quote(uint64, uint32 tokensIn, uint32 tokensOut) external pure returns (IPayouts.Quote memory) {
        uint256 fee = (uint256(tokensIn) + tokensOut) * 1 gwei;
        return IPayouts.Quote(fee, 0, 0, 0, fee);
    }

    function request(uint64 model, bytes32 promptHash, uint64 deadline) external payable returns (bytes32 requestId) {
        require(model != 0 && model <= ATTRIBUTION.modelCount(), IAttribution.UnknownModel(model));
        uint64 earliest = uint64(block.timestamp) + MINIMUM_DEADLINE;
        uint64 latest = uint64(block.timestamp) + MAXIMUM_DEADLINE;
        require(deadline >= earliest, IPayouts.DeadlineTooSoon(earliest, deadline));
        require(deadline <= latest, IPayouts.DeadlineTooFar(latest, deadline));
        requestId = OpenLedger.requestIdOf(msg.sender, model, promptHash, deadline);
        require(requests[requestId].status == IPayouts.Status.None, IPayouts.RequestExists(requestId));
        requests[requestId] = IPayouts.Request(
            msg.sender, model, deadline, uint64(block.timestamp), IPayouts.Status.Open, msg.value, promptHash
        );
        emit IPayouts.Requested(requestId, model, msg.sender, promptHash, msg.value, deadline);
    }

    function refund(bytes32 requestId) external {
        IPayouts.Request storage found = _open(requestId);
        require(block.timestamp > found.deadline, IPayouts.DeadlineNotPassed(found.deadline));
        found.status = IPayouts.Status.Refunded;
        emit IPayouts.Refunded(requestId, found.payer, found.maxFee);
        _pay(found.payer, found.maxFee);
    }

    function requestOf(bytes32 requestId) external view returns (IPayouts.Request memory) {
        require(requests[requestId].status != IPayouts.Status.None, IPayouts.UnknownRequest(requestId));
        return requests[requestId];
    }

    function claim() external returns (uint256 amount) {
        return _claim(msg.sender, msg.sender);
    }

    function drawAndClaim(uint64[] calldata contributions) external returns (uint256 amount) {
        for (uint256 i = 0; i < contributions.length; ++i) {
            address owner = DATANETS.contributionOf(contributions[i]).owner;
            uint256 drawn = accrued[contributions[i]];
            accrued[contributions[i]] = 0;
            creditOf[owner] += drawn;
            if (drawn != 0) emit IPayouts.Drawn(contributions[i], owner, drawn);
        }
        return _claim(msg.sender, msg.sender);
    }

    function claimTo(address account, address to) external returns (uint256 amount) {
        require(msg.sender == CLAIM_ROUTER, IDatanets.NotFacade(msg.sender));
        return _claim(account, to);
    }

    function _claim(address account, address to) private returns (uint256 amount) {
        amount = creditOf[account];
        require(amount != 0, IPayouts.NothingToClaim(account));
        creditOf[account] = 0;
        emit IPayouts.Claimed(account, to, amount, msg.sender);
        _pay(to, amount);
    }

    function _open(bytes32 requestId) private view returns (IPayouts.Request storage found) {
        found = requests[requestId];
        require(found.status != IPayouts.Status.None, IPayouts.UnknownRequest(requestId));
        require(found.status == IPayouts.Status.Open, IPayouts.RequestClosed(requestId, found.status));
    }

    function _pay(address to, uint256 amount) private {
        (bool paid,) = to.call{value: amount}("");
        require(paid);
    }
}
