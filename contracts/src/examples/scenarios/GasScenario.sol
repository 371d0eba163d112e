// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {ATTRIBUTION, CONTRIBUTION_TOKEN, DATANETS, OpenLedger, PAYOUTS} from "../../OpenLedger.sol";
import {IAttribution} from "../../interfaces/IAttribution.sol";
import {IDatanets} from "../../interfaces/IDatanets.sol";
import {IPayouts} from "../../interfaces/IPayouts.sol";
import {Licences} from "../../library/Licences.sol";
import {Actor} from "./Actor.sol";
import {Scenario} from "./Scenario.sol";

/// @title GasScenario
/// @notice Measures what calls of the precompiles cost a contract. What is measured is the first in its transaction to
/// touch what it touches, so that the figures are the dear ones; and each attestor settles once, so that no figure hangs
/// on the second at which a block falls.
contract GasScenario is Scenario {
    uint256 private constant PAYEES = 64;

    Actor private immutable owner;
    Actor private immutable payer;
    /// @dev One for each receipt.
    Actor[4] private attestors;
    uint64 private datanet;
    uint64 private model;
    bytes32[] private rowSalts;
    uint64[] private contributions;
    bytes32 private channel;
    bytes32 private stream;
    bytes32[4] private requests;

    /// What a call cost its caller: the call itself, what it sends with it, and the precompile's work.
    event Measured(string call, uint256 gasUsed);

    constructor() {
        (owner, payer) = (new Actor(), new Actor());
        for (uint256 i = 0; i < attestors.length; ++i) {
            attestors[i] = new Actor();
        }
    }

    function steps() public pure override returns (uint256) {
        return 12;
    }

    function budget() external view override returns (uint256) {
        return (PAYEES + 1) * DATANETS.commitDeposit() + 0.5 ether;
    }

    function _play(uint256 step) internal override {
        if (step == 1) create();
        else if (step == 2) pledge();
        else if (step == 3) show();
        else if (step == 4) publish();
        else if (step == 5) register();
        else if (step == 6) request();
        else if (step < 10) settle(step - 6);
        else if (step == 10) look();
        else if (step == 11) read();
        else pay();
        wait(1);
    }

    function create() private {
        bytes memory call = abi.encodeCall(IDatanets.createDatanet, (keccak256("schema"), "gas", "ipfs://gas"));
        datanet = abi.decode(measure("createDatanet", owner, address(DATANETS), 0, call), (uint64));
        measure("bond", attestors[0], address(ATTRIBUTION), BOND, abi.encodeCall(IAttribution.bond, ()));
        call = abi.encodeCall(
            IPayouts.openChannel, (address(owner), address(0), uint64(block.timestamp) + 3_600, bytes32("salt"))
        );
        channel = abi.decode(measure("openChannel", payer, address(PAYOUTS), 1 gwei, call), (bytes32));
        call = abi.encodeCall(IPayouts.openStream, (address(owner), 1, 0, bytes32("salt")));
        stream = abi.decode(measure("openStream", payer, address(PAYOUTS), 1 gwei, call), (bytes32));
    }

    function pledge() private {
        rowSalts.push(newSalt());
        uint256 deposit = DATANETS.commitDeposit();
        bytes32 commitment = OpenLedger.commitmentOf(datanet, address(owner), rootOf(rowSalts[0]), rowSalts[0]);
        measure("commit", owner, address(DATANETS), deposit, abi.encodeCall(IDatanets.commit, (commitment)));
        for (uint256 i = 1; i < PAYEES; ++i) {
            rowSalts.push(newSalt());
            commit(owner, datanet, rowSalts[i]);
        }
    }

    function show() private {
        uint16 uses = Licences.TRAIN | Licences.SERVE;
        bytes memory call = abi.encodeCall(IDatanets.reveal, (datanet, rootOf(rowSalts[0]), rowSalts[0], 10, uses, 0));
        contributions.push(abi.decode(measure("reveal", owner, address(DATANETS), 0, call), (uint64)));
        for (uint256 i = 1; i < PAYEES; ++i) {
            contributions.push(reveal(owner, datanet, rowSalts[i], 10, Licences.open(uses)));
        }
    }

    function publish() private {
        bytes memory call = abi.encodeCall(IDatanets.publishVersion, (datanet, contributions, bytes32(0), 0));
        measure("publishVersion, 64 contributions", owner, address(DATANETS), 0, call);
    }

    function register() private {
        bytes memory call = registration(datanet, 0);
        model = abi.decode(measure("registerModelWith, 1 dataset", owner, address(ATTRIBUTION), 0, call), (uint64));
        for (uint256 i = 0; i < attestors.length; ++i) {
            if (i != 0) bond(attestors[i]);
            call = abi.encodeCall(IAttribution.setAttestor, (model, address(attestors[i]), true));
            owner.run(address(ATTRIBUTION), 0, call);
        }
    }

    function request() private {
        (, uint64 longest) = PAYOUTS.deadlineBounds();
        bytes memory call = abi.encodeCall(IPayouts.request, (model, newSalt(), uint64(block.timestamp) + longest));
        requests[1] = abi.decode(measure("request", payer, address(PAYOUTS), MAX_FEE, call), (bytes32));
        for (uint256 i = 0; i < requests.length; ++i) {
            if (i != 1) requests[i] = ask(payer, model);
        }
        // The first receipt gives platform and model's owner their first credit; those after it are the common ones.
        answer(attestors[0], requests[0], keccak256("answer"), sharesOf(1));
    }

    function settle(uint256 place) private {
        uint256 payees = place == 1 ? 1 : place == 2 ? 8 : PAYEES;
        string memory what = place == 1 ? "settle, 1 payee" : place == 2 ? "settle, 8 payees" : "settle, 64 payees";
        IAttribution.Receipt memory receipt = receiptFor(requests[place], keccak256("answer"), sharesOf(payees));
        bytes memory call = abi.encodeCall(IAttribution.settle, (receipt));
        measure(what, attestors[place], address(ATTRIBUTION), 0, call);
    }

    function look() private {
        bytes memory call = abi.encodeCall(IAttribution.lineageOf, (requests[3], 0, 256));
        measure("lineageOf, 64 shares", payer, address(ATTRIBUTION), 0, call);
        call = abi.encodeCall(IPayouts.requestOf, (requests[1]));
        measure("requestOf", payer, address(PAYOUTS), 0, call);
        measure("creditOf", payer, address(PAYOUTS), 0, abi.encodeCall(IPayouts.creditOf, (address(owner))));
    }

    function read() private {
        measure("receiptOf", payer, address(ATTRIBUTION), 0, abi.encodeCall(IAttribution.receiptOf, (requests[3])));
        measure("standingOf", payer, address(ATTRIBUTION), 0, abi.encodeCall(IAttribution.standingOf, (model)));
        bytes memory call =
            abi.encodeCall(IDatanets.permits, (contributions[5], address(payer), Licences.TRAIN, 0, 0, false));
        measure("permits", payer, address(DATANETS), 0, call);
        measure("accruedOf", payer, address(PAYOUTS), 0, abi.encodeCall(IPayouts.accruedOf, (contributions[9])));
    }

    function pay() private {
        measure("quote", payer, address(PAYOUTS), 0, abi.encodeCall(IPayouts.quote, (model, TOKENS, TOKENS)));
        bytes memory call = abi.encodeCall(IPayouts.draw, (list(contributions[1])));
        measure("draw, 1 contribution", payer, address(PAYOUTS), 0, call);
        measure("claim", owner, address(PAYOUTS), 0, abi.encodeCall(IPayouts.claim, ()));
        measure("drawStream", payer, address(PAYOUTS), 0, abi.encodeCall(IPayouts.drawStream, (stream)));
        measure("closeChannel", owner, address(PAYOUTS), 0, abi.encodeCall(IPayouts.closeChannel, (channel)));
        call = abi.encodeCall(IERC721.transferFrom, (address(owner), address(payer), contributions[2]));
        measure("ContributionToken.transferFrom", owner, CONTRIBUTION_TOKEN, 0, call);
        owner.run(address(this), address(owner).balance, "");
        payer.run(address(this), address(payer).balance, "");
    }

    function sharesOf(uint256 payees) private view returns (IAttribution.ClusterShare[] memory shares) {
        shares = new IAttribution.ClusterShare[](payees);
        for (uint256 i = 0; i < payees; ++i) {
            shares[i] = IAttribution.ClusterShare(contributions[i], 3, uint32(900_000 / payees));
        }
    }

    function measure(string memory what, Actor who, address target, uint256 value, bytes memory data)
        private
        returns (bytes memory result)
    {
        uint256 gasUsed;
        (gasUsed, result) = who.measure{value: value}(target, value, data);
        emit Measured(what, gasUsed);
    }
}
