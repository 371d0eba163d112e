// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../../OpenLedger.sol";
import {IAttribution} from "../../interfaces/IAttribution.sol";
import {IDatanets} from "../../interfaces/IDatanets.sol";
import {IPayouts} from "../../interfaces/IPayouts.sol";
import {Actor} from "./Actor.sol";

/// @title Scenario
/// @notice A play in steps that checks every fact itself, in the EVM: the same contract runs under `forge test`, where
/// mocks stand for the precompiles, and on a chain, where anyone sends its steps as transactions. Whoever directs it
/// deploys it, sends `budget()` with the first `play()`, and calls `play()` until `played()` is `steps()`, each time not
/// before block `fromBlock()` and second `fromTime()`. A step that finds anything else than it should reverts with
/// `Failed`.
/// @dev It takes no number of a Datanet, model or contribution for granted, so it can run on any chain, again and again.
abstract contract Scenario {
    /// @dev Of each model of a scenario.
    uint128 internal constant PRICE_PER_TOKEN = 3e12;
    uint32 internal constant TOKENS = 100;
    uint256 internal constant FEE = 2 * TOKENS * uint256(PRICE_PER_TOKEN);
    /// @dev What contributors get of it.
    uint256 internal constant INCOME = FEE * 7 / 10;
    uint256 internal constant MAX_FEE = 2 * FEE;
    uint256 internal constant BOND = 0.01 ether;

    address private immutable director = msg.sender;
    uint256 public played;
    uint64 public fromBlock;
    uint64 public fromTime;
    uint256 private salts;

    event Played(uint256 indexed step);

    error Failed(uint256 step, string fact);
    error NotYet(uint64 fromBlock, uint64 fromTime);

    receive() external payable {}

    /// @notice How many steps there are.
    function steps() public pure virtual returns (uint256);

    /// @notice Wei that the first step takes. What is left comes back with the last.
    function budget() external view virtual returns (uint256) {
        return 6 * DATANETS.commitDeposit() + 0.5 ether;
    }

    /// @notice Plays the next step.
    function play() external payable {
        require(msg.sender == director && played < steps());
        require(block.number >= fromBlock && block.timestamp >= fromTime, NotYet(fromBlock, fromTime));
        uint256 step = ++played;
        _play(step);
        emit Played(step);
        if (step != steps()) return;
        (bool paid,) = director.call{value: address(this).balance}("");
        check(paid, "the director is paid back");
    }

    function _play(uint256 step) internal virtual;

    // ── Facts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function check(bool holds, string memory fact) internal view {
        require(holds, Failed(played, fact));
    }

    /// @dev `who` is refused, with exactly this error.
    function checkRefused(Actor who, address target, bytes memory data, bytes memory refusal, string memory fact)
        internal
    {
        try who.run(target, 0, data) {
            check(false, fact);
        } catch (bytes memory reason) {
            check(keccak256(reason) == keccak256(refusal), fact);
        }
    }

    /// @dev The next step comes in a later block, so many seconds later at least.
    function wait(uint64 nextSeconds) internal {
        fromBlock = uint64(block.number) + 1;
        fromTime = uint64(block.timestamp) + nextSeconds;
    }

    // ── What scenarios do on the chain ─────────────────────────────────────────────────────────────────────────────

    function newSalt() internal returns (bytes32) {
        return keccak256(abi.encode(address(this), ++salts));
    }

    /// @dev Commits to rows of `who`; `salt` names them.
    function commit(Actor who, uint64 datanet, bytes32 salt) internal {
        bytes32 commitment = OpenLedger.commitmentOf(datanet, address(who), rootOf(salt), salt);
        uint256 deposit = DATANETS.commitDeposit();
        who.run{value: deposit}(address(DATANETS), deposit, abi.encodeCall(IDatanets.commit, (commitment)));
    }

    /// @dev A block later. The deposit comes back to the scenario.
    function reveal(Actor who, uint64 datanet, bytes32 salt, uint32 rows, IDatanets.Terms memory terms)
        internal
        returns (uint64)
    {
        bytes memory call = abi.encodeCall(
            IDatanets.revealWith, (datanet, rootOf(salt), salt, rows, terms, new IDatanets.OwnerShare[](0))
        );
        bytes memory result = who.run(address(DATANETS), 0, call);
        who.run(address(this), address(who).balance, "");
        return abi.decode(result, (uint64));
    }

    function rootOf(bytes32 salt) internal pure returns (bytes32) {
        return keccak256(abi.encode("rows", salt));
    }

    /// @dev A model of `who`, which is bonded, on the latest version of a Datanet.
    function register(Actor who, uint64 datanet, uint32 purposes) internal returns (uint64) {
        bond(who);
        return abi.decode(who.run(address(ATTRIBUTION), 0, registration(datanet, purposes)), (uint64));
    }

    function bond(Actor who) internal {
        who.run{value: BOND}(address(ATTRIBUTION), BOND, abi.encodeCall(IAttribution.bond, ()));
    }

    function registration(uint64 datanet, uint32 purposes) internal view returns (bytes memory) {
        IAttribution.ModelSpec memory spec;
        (spec.base, spec.adapterHash) = ("base", keccak256("adapter"));
        spec.price = IAttribution.Price({perTokenIn: PRICE_PER_TOKEN, perTokenOut: PRICE_PER_TOKEN, platformFee: 0});
        spec.split = IAttribution.Split({platform: 500, model: 2_000, stakers: 500, contributors: 7_000});
        spec.datasets = new IAttribution.DatasetRef[](1);
        spec.datasets[0] = IAttribution.DatasetRef(datanet, DATANETS.datanetOf(datanet).versions);
        IAttribution.ModelExtras memory extras;
        extras.purposes = purposes;
        return abi.encodeCall(IAttribution.registerModelWith, (spec, extras));
    }

    /// @dev A request of `who` that the scenario pays for.
    function ask(Actor who, uint64 model) internal returns (bytes32) {
        (, uint64 longest) = PAYOUTS.deadlineBounds();
        uint64 deadline = uint64(block.timestamp) + longest;
        bytes memory call = abi.encodeCall(IPayouts.request, (model, newSalt(), deadline));
        return abi.decode(who.run{value: MAX_FEE}(address(PAYOUTS), MAX_FEE, call), (bytes32));
    }

    function receiptFor(bytes32 requestId, bytes32 answerHash, IAttribution.ClusterShare[] memory shares)
        internal
        pure
        returns (IAttribution.Receipt memory receipt)
    {
        (receipt.requestId, receipt.answerHash, receipt.shares) = (requestId, answerHash, shares);
        (receipt.tokensIn, receipt.tokensOut) = (TOKENS, TOKENS);
        receipt.unattributedPpm = 1_000_000;
        for (uint256 i = 0; i < shares.length; ++i) {
            receipt.unattributedPpm -= shares[i].ppm;
        }
    }

    /// @dev Settled by `who`.
    function answer(Actor who, bytes32 requestId, bytes32 answerHash, IAttribution.ClusterShare[] memory shares)
        internal
    {
        bytes memory call = abi.encodeCall(IAttribution.settle, (receiptFor(requestId, answerHash, shares)));
        who.run(address(ATTRIBUTION), 0, call);
    }

    function shareOf(uint64 contribution, uint32 ppm)
        internal
        pure
        returns (IAttribution.ClusterShare[] memory shares)
    {
        shares = new IAttribution.ClusterShare[](1);
        shares[0] = IAttribution.ClusterShare(contribution, 0, ppm);
    }

    function list(uint64 a) internal pure returns (uint64[] memory numbers) {
        numbers = new uint64[](1);
        numbers[0] = a;
    }

    function list(uint64 a, uint64 b) internal pure returns (uint64[] memory numbers) {
        numbers = new uint64[](2);
        (numbers[0], numbers[1]) = (a, b);
    }
}
