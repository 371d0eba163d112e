// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {AgentScenario} from "../src/examples/scenarios/AgentScenario.sol";
import {CooperativeScenario} from "../src/examples/scenarios/CooperativeScenario.sol";
import {DeskScenario} from "../src/examples/scenarios/DeskScenario.sol";
import {GasScenario} from "../src/examples/scenarios/GasScenario.sol";
import {Scenario} from "../src/examples/scenarios/Scenario.sol";
import {OpenLedgerTest} from "../src/testing/OpenLedgerTest.sol";
import {VM} from "./Vm.sol";

/// @dev Directs the scenarios over the mocks, as testdata/clients/scenarios.sh does on a chain.
contract ScenariosTest is OpenLedgerTest {
    function setUp() external {
        VM.warp(1_000_000);
        setUpOpenLedger();
    }

    receive() external payable {}

    function test_cooperative_scenario_plays_to_its_end() external {
        direct(create("CooperativeScenario"));
    }

    function test_desk_scenario_plays_to_its_end() external {
        direct(create("DeskScenario"));
    }

    function test_agent_scenario_plays_to_its_end() external {
        direct(create("AgentScenario"));
    }

    /// @dev The figures are the mocks'; a chain's are in docs/solidity.md.
    function test_gas_scenario_plays_to_its_end() external {
        direct(create("GasScenario"));
    }

    /// @dev Numbers of Datanets and models are others the second time.
    function test_scenarios_can_be_played_one_after_another() external {
        direct(create("CooperativeScenario"));
        direct(create("AgentScenario"));
        direct(create("CooperativeScenario"));
    }

    function test_step_before_its_time_is_refused() external {
        Scenario scenario = create("DeskScenario");
        scenario.play{value: scenario.budget()}();
        bytes memory refusal =
            abi.encodeWithSelector(Scenario.NotYet.selector, scenario.fromBlock(), scenario.fromTime());
        VM.expectRevert(refusal);
        scenario.play();
    }

    function test_step_that_finds_something_else_says_what() external {
        CooperativeScenario scenario = CooperativeScenario(payable(address(create("CooperativeScenario"))));
        scenario.play{value: scenario.budget()}();
        step(scenario);
        // Someone else's shares: Ana's quarter is no longer a quarter.
        address cooperative = address(scenario.cooperative());
        VM.prank(VM.addr(1));
        (bool sent,) = cooperative.call{value: 0}("");
        require(sent);
        VM.deal(cooperative, 1);
        nextBlocks(1);
        VM.expectRevert(
            abi.encodeWithSelector(Scenario.Failed.selector, 3, "all that data earned comes to the cooperative")
        );
        scenario.play();
    }

    /// @dev Chains limit what a contract may weigh; forge's tests do not.
    function test_scenarios_fit_on_a_chain() external {
        string[4] memory names = ["CooperativeScenario", "DeskScenario", "AgentScenario", "GasScenario"];
        for (uint256 i = 0; i < names.length; ++i) {
            require(address(create(names[i])).code.length <= 24_576, names[i]);
            require(VM.getCode(string.concat(names[i], ".sol:", names[i])).length <= 49_152, names[i]);
        }
    }

    /// @dev From its artifact, so that this contract does not have to hold the code of all.
    function create(string memory name) private returns (Scenario) {
        return Scenario(payable(VM.deployCode(string.concat(name, ".sol:", name), "")));
    }

    function direct(Scenario scenario) private {
        uint256 budget = scenario.budget();
        scenario.play{value: budget}();
        while (scenario.played() < scenario.steps()) {
            step(scenario);
        }
        require(address(scenario).balance == 0, "the scenario keeps nothing");
    }

    function step(Scenario scenario) private {
        if (block.number < scenario.fromBlock()) VM.roll(scenario.fromBlock());
        if (block.timestamp < scenario.fromTime()) VM.warp(scenario.fromTime());
        scenario.play();
    }
}
