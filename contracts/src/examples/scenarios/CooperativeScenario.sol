// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {CONTRIBUTION_TOKEN, DATANETS, PAYOUTS} from "../../OpenLedger.sol";
import {IAttribution} from "../../interfaces/IAttribution.sol";
import {IDatanets} from "../../interfaces/IDatanets.sol";
import {Licences} from "../../library/Licences.sol";
import {DataCooperative} from "../DataCooperative.sol";
import {Actor} from "./Actor.sol";
import {Scenario} from "./Scenario.sol";

/// @title CooperativeScenario
/// @notice Ana brings 30 rows and Ben 10. Answers earn; Ben sells half of what he has to Cleo between two answers; all
/// claim; Ben buys back, takes his rows out, and earns alone from then on.
contract CooperativeScenario is Scenario {
    uint256 private constant ANA_SHARES = 300_000;
    uint256 private constant BEN_SHARES = 100_000;

    DataCooperative public immutable cooperative;
    Actor private immutable steward;
    Actor private immutable ana;
    Actor private immutable ben;
    Actor private immutable cleo;
    Actor private immutable server;
    uint64 private immutable datanet;
    uint64 private anas;
    uint64 private bens;
    uint64 private model;
    bytes32 private anaSalt;
    bytes32 private benSalt;

    constructor() {
        (steward, ana, ben, cleo, server) = (new Actor(), new Actor(), new Actor(), new Actor(), new Actor());
        cooperative = new DataCooperative(address(steward), keccak256("schema"), "cooperative", "ipfs://cooperative");
        datanet = cooperative.datanet();
    }

    function steps() public pure override returns (uint256) {
        return 4;
    }

    function _play(uint256 step) internal override {
        if (step == 1) found();
        else if (step == 2) join();
        else if (step == 3) share();
        else part();
    }

    function found() private {
        check(DATANETS.datanetOf(datanet).owner == address(cooperative), "the cooperative owns its Datanet");
        check(DATANETS.isCurator(datanet, address(steward)), "the steward curates it");
        (anaSalt, benSalt) = (newSalt(), newSalt());
        commit(ana, datanet, anaSalt);
        commit(ben, datanet, benSalt);
        wait(1);
    }

    function join() private {
        IDatanets.Terms memory terms = Licences.open(Licences.TRAIN | Licences.SERVE);
        anas = reveal(ana, datanet, anaSalt, 30, terms);
        bens = reveal(ben, datanet, benSalt, 10, terms);

        // Ana approves and offers, Ben just sends.
        ana.run(CONTRIBUTION_TOKEN, 0, abi.encodeCall(IERC721.approve, (address(cooperative), anas)));
        ana.run(address(cooperative), 0, abi.encodeCall(DataCooperative.offer, (anas)));
        bytes memory call = abi.encodeWithSignature(
            "safeTransferFrom(address,address,uint256)", address(ben), address(cooperative), uint256(bens)
        );
        ben.run(CONTRIBUTION_TOKEN, 0, call);
        checkRefused(
            ana,
            address(cooperative),
            abi.encodeCall(DataCooperative.admit, (anas)),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(ana)),
            "members do not admit"
        );
        checkRefused(
            ana,
            address(cooperative),
            abi.encodeCall(DataCooperative.takeBack, (bens)),
            abi.encodeWithSelector(DataCooperative.NotYours.selector, bens, address(ana)),
            "nobody takes another's offer"
        );
        steward.run(address(cooperative), 0, abi.encodeCall(DataCooperative.admit, (anas)));
        steward.run(address(cooperative), 0, abi.encodeCall(DataCooperative.admit, (bens)));
        check(cooperative.balanceOf(address(ana)) == ANA_SHARES, "Ana has shares for 30 rows");
        check(cooperative.balanceOf(address(ben)) == BEN_SHARES, "Ben has shares for 10 rows");
        check(DATANETS.contributionOf(anas).owner == address(cooperative), "the cooperative holds the title");

        bytes memory publish = abi.encodeCall(IDatanets.publishVersion, (datanet, list(anas, bens), bytes32(0), 0));
        steward.run(address(DATANETS), 0, publish);
        model = register(server, datanet, 0);
        wait(1);
    }

    function share() private {
        // 60 % of the answer from Ana's rows, 30 % from Ben's; the rest goes to the Datanet's owner.
        earn();
        check(cooperative.collect() == INCOME, "all that data earned comes to the cooperative");
        check(cooperative.owedTo(address(ana)) == INCOME * 3 / 4, "Ana is owed three quarters");
        check(cooperative.owedTo(address(ben)) == INCOME / 4, "Ben is owed one quarter");

        // This answer's income is not collected when Ben sells.
        earn();
        ben.run(address(cooperative), 0, abi.encodeCall(IERC20.transfer, (address(cleo), BEN_SHARES / 2)));
        check(cooperative.owedTo(address(ben)) == INCOME / 2, "Ben keeps what was earned before he sold");
        check(cooperative.owedTo(address(cleo)) == 0, "Cleo has no part in it");

        // Someone has the cooperative paid; it is shared all the same.
        earn();
        PAYOUTS.draw(list(anas, bens));
        PAYOUTS.claimFor(address(cooperative));
        checkClaim(ana, 3 * INCOME * 3 / 4);
        checkClaim(ben, INCOME / 2 + INCOME / 8);
        checkClaim(cleo, INCOME / 8);
        check(cooperative.owed() == 0 && address(cooperative).balance == 0, "nothing is left over");
        checkRefused(
            ben,
            address(cooperative),
            abi.encodeCall(DataCooperative.claim, (payable(address(ben)))),
            abi.encodeWithSelector(DataCooperative.NothingOwed.selector, address(ben)),
            "nobody is paid twice"
        );
        wait(1);
    }

    function part() private {
        bytes memory out = abi.encodeCall(DataCooperative.takeOut, (bens));
        checkRefused(
            ben,
            address(cooperative),
            out,
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, address(ben), BEN_SHARES / 2, BEN_SHARES
            ),
            "rows do not leave without their shares"
        );
        checkRefused(
            cleo,
            address(cooperative),
            out,
            abi.encodeWithSelector(DataCooperative.NotYours.selector, bens, address(cleo)),
            "a shareholder does not take another's rows"
        );
        earn();
        cleo.run(address(cooperative), 0, abi.encodeCall(IERC20.transfer, (address(ben), BEN_SHARES / 2)));
        ben.run(address(cooperative), 0, out);
        check(DATANETS.contributionOf(bens).owner == address(ben), "Ben holds his title again");
        check(cooperative.totalSupply() == ANA_SHARES, "his shares are gone");
        check(cooperative.owedTo(address(cleo)) == INCOME / 8, "Cleo keeps what she earned");

        earn();
        (uint256 accrued,) = PAYOUTS.accruedOf(bens);
        check(accrued == INCOME * 3 / 10, "from then on Ben's rows earn for Ben");
        checkClaim(ana, INCOME * 3 / 4 + INCOME * 7 / 10);
        checkClaim(ben, INCOME / 8);
        checkClaim(cleo, INCOME / 8);
        check(address(cooperative).balance == 0, "nothing is left over in the end");
        ben.run(address(PAYOUTS), 0, abi.encodeWithSignature("drawAndClaim(uint64[])", list(bens)));
        check(address(ben).balance == INCOME * 3 / 10, "and are paid to Ben");
        ben.run(address(this), address(ben).balance, "");
    }

    /// @dev One answer: 60 % from Ana's rows, 30 % from Ben's.
    function earn() private {
        IAttribution.ClusterShare[] memory shares = new IAttribution.ClusterShare[](2);
        shares[0] = IAttribution.ClusterShare(anas, 7, 600_000);
        shares[1] = IAttribution.ClusterShare(bens, 7, 300_000);
        answer(server, ask(cleo, model), keccak256("answer"), shares);
        cleo.run(address(this), address(cleo).balance, "");
    }

    /// @dev A member claims to the scenario.
    function checkClaim(Actor member, uint256 expected) private {
        uint256 before = address(this).balance;
        member.run(address(cooperative), 0, abi.encodeCall(DataCooperative.claim, (payable(address(this)))));
        check(address(this).balance == before + expected, "each member is paid its part, to the wei");
    }
}
