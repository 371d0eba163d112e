// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20Errors, IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {DATANETS, DATANET_TOKEN, PAYOUTS} from "../src/OpenLedger.sol";
import {DataCooperative} from "../src/examples/DataCooperative.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {Licences} from "../src/library/Licences.sol";
import {Precompiles} from "./Precompiles.sol";
import {VM} from "./Vm.sol";

contract DataCooperativeTest is Precompiles {
    address private constant STEWARD = address(0x57e);
    address private constant ANA = address(0xaaa);
    address private constant BEN = address(0xbbb);
    address private constant CLEO = address(0xccc);
    address private constant SERVER = address(0x5e44e4);
    address private constant PAYER = address(0x9a4);

    DataCooperative private coop;
    uint64 private datanet;
    uint64 private anas;
    uint64 private bens;

    function setUp() external {
        VM.warp(1_000_000);
        VM.deal(PAYER, 1_000 ether);
        coop = new DataCooperative(STEWARD, "schema", "cooperative", "ipfs://cooperative");
        datanet = coop.datanet();
        anas = contribute(ANA, datanet, 30);
        bens = contribute(BEN, datanet, 10);
    }

    // ── Joining ────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_offer_by_approval_or_by_sending() external {
        VM.prank(ANA);
        contributionToken.approve(address(coop), anas);
        VM.expectEmit(address(coop));
        emit DataCooperative.Offered(anas, ANA);
        VM.prank(ANA);
        coop.offer(anas);
        send(BEN, bens);
        (address member, uint32 position,) = coop.placeOf(bens);
        require(member == BEN && position == 0 && DATANETS.contributionOf(bens).owner == address(coop));
    }

    function test_offer_of_anothers_contribution_is_refused() external {
        VM.prank(ANA);
        contributionToken.approve(address(coop), anas);
        VM.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, CLEO, uint256(anas), ANA));
        VM.prank(CLEO);
        coop.offer(anas);
    }

    function test_other_tokens_are_refused() external {
        uint64 id = createDatanet(ANA, "other");
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NotAContribution.selector, DATANET_TOKEN));
        VM.prank(ANA);
        datanetToken.safeTransferFrom(ANA, address(coop), id);
    }

    function test_offer_is_taken_back_until_it_is_admitted() external {
        send(ANA, anas);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NotYours.selector, anas, BEN));
        VM.prank(BEN);
        coop.takeBack(anas);
        VM.prank(ANA);
        coop.takeBack(anas);
        require(DATANETS.contributionOf(anas).owner == ANA);
        send(ANA, anas);
        admit(anas);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.AlreadyAdmitted.selector, anas));
        VM.prank(ANA);
        coop.takeBack(anas);
    }

    function test_only_the_steward_admits_and_only_offers() external {
        send(ANA, anas);
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANA));
        VM.prank(ANA);
        coop.admit(anas);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NotOffered.selector, bens));
        VM.prank(STEWARD);
        coop.admit(bens);
        admit(anas);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.AlreadyAdmitted.selector, anas));
        VM.prank(STEWARD);
        coop.admit(anas);
    }

    function test_shares_are_rows_by_the_part_that_came_along() external {
        IDatanets.OwnerShare[] memory others = new IDatanets.OwnerShare[](1);
        others[0] = IDatanets.OwnerShare(CLEO, 4_000);
        uint64 third = contribute(ANA, datanet, 10, Licences.open(3), others);
        join(ANA, third);
        require(coop.balanceOf(ANA) == 60_000 && coop.decimals() == 4);
        // What ANA has given away whole earns nothing for anyone here.
        VM.prank(BEN);
        DATANETS.transferShare(bens, CLEO, 10_000);
        send(BEN, bens);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NoPart.selector, bens));
        VM.prank(STEWARD);
        coop.admit(bens);
    }

    function test_contribution_that_cannot_earn_is_not_admitted() external {
        uint64 other = createDatanet(CLEO, "other");
        uint64 gone = contribute(ANA, other, 5);
        send(ANA, gone);
        VM.prank(CLEO);
        DATANETS.tombstone(gone, "erased");
        VM.expectRevert(
            abi.encodeWithSelector(DataCooperative.NotEarning.selector, gone, IDatanets.ContributionStatus.Tombstoned)
        );
        VM.prank(STEWARD);
        coop.admit(gone);
    }

    function test_pool_takes_as_many_as_one_draw_reaches() external {
        for (uint256 i = 0; i < 64; ++i) {
            join(ANA, contribute(ANA, datanet, 1));
        }
        send(BEN, bens);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.Full.selector, 64));
        VM.prank(STEWARD);
        coop.admit(bens);
        owe(address(coop), 64 ether);
        require(coop.collect() == 64 ether && coop.owedTo(ANA) == 64 ether);
    }

    // ── Income ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_what_rows_earned_before_they_joined_is_their_owners() external {
        uint64 model = serve();
        earn(model, anas);
        join(ANA, anas);
        require(PAYOUTS.creditOf(ANA) == ANSWER_INCOME && coop.collect() == 0);
    }

    function test_later_member_has_no_part_in_what_was_earned_before() external {
        uint64 model = serve();
        join(ANA, anas);
        earn(model, anas);
        // Not collected yet when Ben comes.
        join(BEN, bens);
        require(coop.owedTo(ANA) == ANSWER_INCOME && coop.owedTo(BEN) == 0);
        earn(model, bens);
        coop.collect();
        require(coop.owedTo(ANA) == ANSWER_INCOME + ANSWER_INCOME * 3 / 4 && coop.owedTo(BEN) == ANSWER_INCOME / 4);
    }

    function test_rows_that_wait_for_admission_earn_for_the_pool_they_wait_at() external {
        uint64 model = serve();
        join(ANA, anas);
        send(BEN, bens);
        earn(model, bens);
        admit(bens);
        coop.collect();
        // Ben gave the title away when he offered; taking it back in time would have given him the income.
        require(coop.owedTo(ANA) == ANSWER_INCOME * 3 / 4 && coop.owedTo(BEN) == ANSWER_INCOME / 4);
    }

    function test_seller_keeps_what_was_earned_until_the_sale() external {
        joinBoth();
        owe(address(coop), 4 ether);
        VM.prank(ANA);
        coop.transfer(CLEO, 300_000);
        require(coop.owedTo(ANA) == 3 ether && coop.owedTo(CLEO) == 0);
        owe(address(coop), 4 ether);
        coop.collect();
        require(coop.owedTo(ANA) == 3 ether && coop.owedTo(CLEO) == 3 ether && coop.owedTo(BEN) == 2 ether);
    }

    function test_transfer_to_oneself_changes_nothing() external {
        joinBoth();
        owe(address(coop), 4 ether);
        VM.prank(ANA);
        coop.transfer(ANA, 300_000);
        require(coop.owedTo(ANA) == 3 ether && coop.balanceOf(ANA) == 300_000);
    }

    function test_money_that_strangers_bring_is_shared() external {
        joinBoth();
        owe(address(coop), 3 ether);
        PAYOUTS.claimFor(address(coop));
        (bool sent,) = address(coop).call{value: 1 ether}("");
        require(sent && coop.collect() == 4 ether && coop.owedTo(BEN) == 1 ether && coop.collect() == 0);
    }

    function test_income_without_members_waits_for_the_first() external {
        owe(address(coop), 1 ether);
        require(coop.collect() == 0 && coop.owed() == 0);
        join(ANA, anas);
        require(coop.collect() == 1 ether && coop.owedTo(ANA) == 1 ether);
    }

    function test_claim_pays_once_and_where_the_member_says() external {
        joinBoth();
        owe(address(coop), 4 ether);
        VM.expectEmit(address(coop));
        emit DataCooperative.Claimed(ANA, CLEO, 3 ether);
        VM.prank(ANA);
        require(coop.claim(payable(CLEO)) == 3 ether && CLEO.balance == 3 ether);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NothingOwed.selector, ANA));
        VM.prank(ANA);
        coop.claim(payable(ANA));
        require(coop.owed() == 1 ether && address(coop).balance == 1 ether);
    }

    function test_member_that_refuses_money_or_claims_again_harms_nobody() external {
        joinBoth();
        GreedyMember greedy = new GreedyMember(coop);
        VM.prank(ANA);
        coop.transfer(address(greedy), 150_000);
        owe(address(coop), 8 ether);
        greedy.claim();
        require(greedy.refused() && address(greedy).balance == 3 ether);
        // The façade takes no money.
        VM.expectRevert(abi.encodeWithSelector(Errors.FailedCall.selector));
        VM.prank(ANA);
        coop.claim(payable(DATANET_TOKEN));
        VM.prank(BEN);
        require(coop.claim(payable(BEN)) == 2 ether);
    }

    // ── Leaving ────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_member_leaves_with_its_rows_and_what_they_earned() external {
        uint64 model = serve();
        joinBoth();
        earn(model, bens);
        VM.expectEmit(address(coop));
        emit DataCooperative.Left(bens, BEN, 100_000);
        VM.prank(BEN);
        coop.takeOut(bens);
        require(DATANETS.contributionOf(bens).owner == BEN && coop.totalSupply() == 300_000);
        require(coop.owedTo(BEN) == ANSWER_INCOME / 4 && coop.admitted().length == 1 && coop.admitted()[0] == anas);
        earn(model, bens);
        require(coop.collect() == 0);
        (uint256 accrued,) = PAYOUTS.accruedOf(bens);
        require(accrued == ANSWER_INCOME);
        // And may come again.
        join(BEN, bens);
        require(coop.balanceOf(BEN) == 100_000 && coop.admitted().length == 2);
    }

    function test_rows_do_not_leave_without_the_shares_they_brought() external {
        joinBoth();
        VM.prank(BEN);
        coop.transfer(ANA, 1);
        VM.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, BEN, 99_999, 100_000));
        VM.prank(BEN);
        coop.takeOut(bens);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NotYours.selector, bens, ANA));
        VM.prank(ANA);
        coop.takeOut(bens);
        VM.prank(ANA);
        coop.transfer(BEN, 1);
        VM.prank(BEN);
        coop.takeOut(bens);
    }

    function test_offer_is_not_taken_out_but_taken_back() external {
        send(ANA, anas);
        VM.expectRevert(abi.encodeWithSelector(DataCooperative.NotAdmitted.selector, anas));
        VM.prank(ANA);
        coop.takeOut(anas);
    }

    // ── The steward ────────────────────────────────────────────────────────────────────────────────────────────────

    function test_curating_goes_with_the_stewards_office() external {
        VM.prank(STEWARD);
        coop.transferOwnership(CLEO);
        require(DATANETS.isCurator(datanet, STEWARD) && !DATANETS.isCurator(datanet, CLEO));
        VM.prank(CLEO);
        coop.acceptOwnership();
        require(!DATANETS.isCurator(datanet, STEWARD) && DATANETS.isCurator(datanet, CLEO));
        VM.prank(CLEO);
        coop.renounceOwnership();
        require(!DATANETS.isCurator(datanet, CLEO));
    }

    // ── All of it, in any order ────────────────────────────────────────────────────────────────────────────────────

    /// @dev Beside the contract runs a ledger that divides every income at once, by whole histories.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_everyone_gets_what_their_shares_earned_to_a_wei(uint256 seed) external {
        address[4] memory members = [ANA, BEN, CLEO, PAYER];
        uint256[4] memory due; // in parts of 1e-18 wei
        uint256[4] memory paid;
        uint256 received = 0;
        joinBoth();
        uint256 incomes = 0;
        for (uint256 i = 0; i < 40; ++i) {
            uint256 roll = uint256(keccak256(abi.encode(seed, i)));
            uint256 who = roll >> 8 & 3;
            uint256 other = roll >> 10 & 3;
            uint256 kind = roll % 6;
            if (kind < 2) {
                uint256 amount = roll >> 16 & type(uint64).max;
                uint256 supply = coop.totalSupply();
                received += amount;
                incomes += 1;
                for (uint256 k = 0; k < 4; ++k) {
                    if (supply != 0) due[k] += amount * 1e18 * coop.balanceOf(members[k]) / supply;
                }
                if (roll >> 12 & 1 == 0) owe(address(coop), amount);
                else VM.deal(address(coop), address(coop).balance + amount);
            } else if (kind == 2) {
                uint256 amount = coop.balanceOf(members[who]) * (roll >> 16 & 255) / 255;
                VM.prank(members[who]);
                coop.transfer(members[other], amount);
            } else if (kind == 3) {
                VM.prank(members[who]);
                try coop.claim(payable(address(0xdead))) returns (uint256 amount) {
                    paid[who] += amount;
                } catch {}
            } else if (kind == 4) {
                coop.collect();
            } else {
                // Ben's rows go out and in.
                (address member,,) = coop.placeOf(bens);
                if (member == address(0)) join(BEN, bens);
                else if (coop.balanceOf(BEN) >= 100_000) takeOutBens();
            }
            require(address(coop).balance >= coop.owed(), "what is owed is there");
        }
        coop.collect();
        uint256 sum = 0;
        for (uint256 k = 0; k < 4; ++k) {
            uint256 got = paid[k] + coop.owedTo(members[k]);
            sum += got;
            // The ledger's floors and the contract's: less than a wei each, and one for the income that is not whole.
            require(got <= due[k] / 1e18 + 1 && got + 1 >= due[k] / 1e18, "to a wei");
        }
        require(sum <= received && sum + 4 >= received && incomes <= 40, "all of it, and no more");
    }

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_income_is_divided_by_rows(uint24 a, uint24 b, uint96 income) external {
        uint64 first = contribute(ANA, datanet, uint32(a) % 16_777_215 + 1);
        uint64 second = contribute(BEN, datanet, uint32(b) % 16_777_215 + 1);
        join(ANA, first);
        join(BEN, second);
        owe(address(coop), income);
        coop.collect();
        uint256 rows = uint256(a) % 16_777_215 + uint256(b) % 16_777_215 + 2;
        uint256 expected = uint256(income) * (uint256(a) % 16_777_215 + 1) / rows;
        uint256 given = coop.owedTo(ANA) + coop.owedTo(BEN);
        require(coop.owedTo(ANA) <= expected && coop.owedTo(ANA) + 1 >= expected);
        require(given <= income && given + 2 >= income);
    }

    // ── Props ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function send(address member, uint64 contribution) private {
        VM.prank(member);
        contributionToken.safeTransferFrom(member, address(coop), contribution);
    }

    function admit(uint64 contribution) private {
        VM.prank(STEWARD);
        coop.admit(contribution);
    }

    function join(address member, uint64 contribution) private {
        send(member, contribution);
        admit(contribution);
    }

    function joinBoth() private {
        join(ANA, anas);
        join(BEN, bens);
    }

    function takeOutBens() private {
        VM.prank(BEN);
        coop.takeOut(bens);
    }

    /// @dev A version with both contributions, by the steward, and a model on it.
    function serve() private returns (uint64) {
        uint64[] memory both = new uint64[](2);
        (both[0], both[1]) = (anas, bens);
        VM.prank(STEWARD);
        DATANETS.publishVersion(datanet, both, 0, 0);
        return registerModel(SERVER, datanet);
    }

    function earn(uint64 model, uint64 contribution) private {
        answer(ask(PAYER, model, 1 ether), contribution);
    }
}

/// @dev Claims again while it is being paid.
contract GreedyMember {
    DataCooperative private immutable coop;
    bool public refused;

    constructor(DataCooperative coop_) {
        coop = coop_;
    }

    function claim() external {
        coop.claim(payable(address(this)));
    }

    receive() external payable {
        try coop.claim(payable(address(this))) {}
        catch (bytes memory reason) {
            refused = bytes4(reason) == DataCooperative.NothingOwed.selector;
        }
    }
}
