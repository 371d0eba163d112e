// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../src/OpenLedger.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {Licences} from "../src/library/Licences.sol";
import {Lineage} from "../src/library/Lineage.sol";
import {Receipts} from "../src/library/Receipts.sol";
import {Requests} from "../src/library/Requests.sol";
import {Precompiles} from "./Precompiles.sol";
import {VM} from "./Vm.sol";

contract LibraryTest is Precompiles {
    using Receipts for IAttribution.ReceiptInfo;
    using Lineage for IAttribution.Lineage;

    address private constant SERVER = address(0x5e44e4);
    uint256 private constant KEY = 0xa11ce;

    uint64 private datanet;
    uint64 private contribution;
    uint64 private model;

    function setUp() external {
        VM.warp(1_000_000);
        datanet = createDatanet(SERVER, "law");
        contribution = contribute(SERVER, datanet, 10);
        publish(datanet, contribution);
        model = registerModel(SERVER, datanet);
    }

    // ── Names and hashes: as the chain computes them ───────────────────────────────────────────────────────────────

    function test_names_are_the_chains() external {
        uint64 deadline = uint64(block.timestamp) + 100;
        bytes32 requestId = PAYOUTS.request{value: 1 ether}(model, "prompt", deadline);
        require(requestId == OpenLedger.requestIdOf(address(this), model, "prompt", deadline));
        uint64 expiry = uint64(block.timestamp) + 3_600;
        bytes32 channel = PAYOUTS.openChannel{value: 1}(SERVER, address(0), expiry, "salt");
        require(channel == OpenLedger.channelIdOf(address(this), SERVER, address(this), "salt"));
        bytes32 stream = PAYOUTS.openStream{value: 1}(SERVER, 1, 0, "salt");
        require(stream == OpenLedger.streamIdOf(address(this), SERVER, 1, "salt"));
    }

    function test_numbers_of_uses_and_purposes_are_the_chains() external pure {
        require(Licences.TRAIN == DATANETS.LICENCE_TRAIN() && Licences.SERVE == DATANETS.LICENCE_SERVE());
        require(Licences.RESELL == DATANETS.LICENCE_RESELL() && Licences.DERIVE == DATANETS.LICENCE_DERIVE());
        require(Licences.COMMERCIAL == DATANETS.PURPOSE_COMMERCIAL());
        require(Licences.RESEARCH == DATANETS.PURPOSE_RESEARCH());
        require(Licences.EDUCATION == DATANETS.PURPOSE_EDUCATION());
        require(Licences.PUBLIC_SECTOR == DATANETS.PURPOSE_PUBLIC_SECTOR());
        require(Licences.MEDICAL == DATANETS.PURPOSE_MEDICAL());
        require(Licences.PERSONAL == DATANETS.PURPOSE_PERSONAL() && Lineage.ALL == ATTRIBUTION.MAX_INLINE_SHARES());
    }

    /// @dev The vectors of the Rust side (`crates/shares`) are of the same form: salt, then each token's four bytes.
    function test_answers_are_hashed_token_by_token() external pure {
        uint32[] memory tokens = new uint32[](3);
        require(OpenLedger.answerHashOf("salt", new uint32[](0)) == keccak256(abi.encode(bytes32("salt"))));
        (tokens[0], tokens[1], tokens[2]) = (1, 0x01020304, type(uint32).max);
        bytes memory packed = bytes.concat(bytes32("salt"), hex"00000001", hex"01020304", hex"ffffffff");
        require(OpenLedger.answerHashOf("salt", tokens) == keccak256(packed));
        require(OpenLedger.promptHashOf("salt", "prompt") == keccak256(abi.encodePacked(bytes32("salt"), "prompt")));
    }

    function testFuzz_answer_hash_leaves_memory_whole(bytes32 salt, uint32[] memory tokens) external pure {
        bytes memory packed = abi.encodePacked(salt);
        for (uint256 i = 0; i < tokens.length; ++i) {
            packed = abi.encodePacked(packed, tokens[i]);
        }
        bytes32 expected = keccak256(packed);
        bytes memory before = "before";
        bytes32 hash = OpenLedger.answerHashOf(salt, tokens);
        bytes memory afterwards = new bytes(64);
        require(hash == expected && keccak256(before) == keccak256("before"));
        require(keccak256(afterwards) == keccak256(abi.encode(0, 0)), "memory after it is clean");
    }

    function test_hand_over_is_signed_as_a_message_of_text() external pure {
        bytes memory text = "OpenLedger: answer my request\nrequest: "
            "0x00000000000000000000000000000000000000000000000000000000000000ab";
        bytes memory message = abi.encodePacked("\x19Ethereum Signed Message:\n", "105", text);
        require(text.length == 105 && OpenLedger.handOverDigest(bytes32(uint256(0xab))) == keccak256(message));
    }

    function test_signed_claim_is_paid() external {
        address account = VM.addr(KEY);
        owe(account, 3 ether);
        require(OpenLedger.payoutsDomain() == PAYOUTS.DOMAIN_SEPARATOR());
        uint64 deadline = uint64(block.timestamp);
        bytes32 digest = OpenLedger.claimDigest(account, address(0x70), PAYOUTS.nonces(account), deadline);
        require(PAYOUTS.claimBySignature(account, address(0x70), deadline, signed(digest)) == 3 ether);
        owe(account, 3 ether);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.InvalidSignature.selector, account));
        PAYOUTS.claimBySignature(account, address(0x70), deadline, signed(digest));
    }

    function test_signed_voucher_is_redeemed() external {
        uint64 expiry = uint64(block.timestamp) + 3_600;
        bytes32 channel = PAYOUTS.openChannel{value: 5 ether}(SERVER, VM.addr(KEY), expiry, "salt");
        bytes memory signature = signed(OpenLedger.voucherDigest(channel, 2 ether));
        VM.prank(SERVER);
        require(PAYOUTS.redeemVoucher(channel, 2 ether, signature) == 2 ether);
        require(PAYOUTS.creditOf(SERVER) == 2 ether);
    }

    function test_leaf_of_a_long_tail_is_claimed() external {
        bytes32 requestId = ask(address(this), model, 1 ether);
        (uint256 first, uint256 second) = (ANSWER_INCOME / 4, ANSWER_INCOME - ANSWER_INCOME / 4);
        bytes32 left = OpenLedger.tailLeafOf(0, contribution, first);
        bytes32 right = OpenLedger.tailLeafOf(1, contribution, second);
        IAttribution.Receipt memory receipt;
        (receipt.requestId, receipt.tokensIn, receipt.tokensOut) = (requestId, ANSWER_TOKENS, ANSWER_TOKENS);
        bytes32 root = OpenLedger.tailNodeOf(left, first, right, second);
        VM.prank(SERVER);
        ATTRIBUTION.settleTail(receipt, IAttribution.Tail(root, 1_000_000, 2));
        IPayouts.TailClaim memory leaf;
        (leaf.index, leaf.contribution, leaf.amount) = (1, contribution, second);
        (leaf.siblings, leaf.sums) = (new bytes32[](1), new uint256[](1));
        (leaf.siblings[0], leaf.sums[0]) = (left, first);
        require(PAYOUTS.claimTail(requestId, leaf) == second && PAYOUTS.isTailClaimed(requestId, 1));
    }

    // ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────

    function test_request_is_followed_to_its_end() external {
        uint256 price = Requests.priceOf(model, ANSWER_TOKENS, ANSWER_TOKENS);
        require(price == ANSWER_FEE && Requests.outcomeOf("nothing") == Requests.Outcome.Unknown);
        (bytes32 answered, uint64 deadline) = Requests.ask(model, "one", 2 * price, 60);
        (bytes32 lost,) = Requests.ask(model, "two", 2 * price, 60);
        require(deadline == block.timestamp + 60 && Requests.outcomeOf(lost) == Requests.Outcome.Waiting);
        VM.expectRevert(abi.encodeWithSelector(Requests.StillWaiting.selector, lost, deadline));
        this.settleUp(lost);
        answer(answered, contribution);
        require(Requests.outcomeOf(answered) == Requests.Outcome.Answered && this.settleUp(answered) == price);
        VM.warp(deadline + 1);
        require(Requests.outcomeOf(lost) == Requests.Outcome.Expired);
        uint256 before = address(this).balance;
        require(this.settleUp(lost) == 2 * price && address(this).balance == before + 2 * price);
        require(Requests.outcomeOf(lost) == Requests.Outcome.Refunded && this.settleUp(lost) == 2 * price);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.UnknownRequest.selector, bytes32("nothing")));
        this.settleUp("nothing");
    }

    function test_refusals_of_a_request_come_through() external {
        VM.expectRevert(abi.encodeWithSelector(IPayouts.FeeBelowPrice.selector, 2 * PRICE_PER_TOKEN, 1));
        this.askFor(1, 60);
        VM.expectPartialRevert(IPayouts.DeadlineTooSoon.selector);
        this.askFor(1 ether, 1);
        VM.expectPartialRevert(IPayouts.DeadlineTooFar.selector);
        this.askFor(1 ether, 1 days);
    }

    // ── Receipts ───────────────────────────────────────────────────────────────────────────────────────────────────

    function test_receipt_becomes_final_when_its_window_ends() external {
        bytes32 requestId = ask(address(this), model, 1 ether);
        (bool settled,) = Receipts.find(requestId);
        require(!settled);
        VM.expectRevert(abi.encodeWithSelector(Receipts.NotSettled.selector, requestId));
        this.get(requestId);
        answer(requestId, contribution);
        IAttribution.ReceiptInfo memory receipt = Receipts.get(requestId);
        require(receipt.stands() && !receipt.isFinal() && receipt.finalAt() == block.timestamp + 60);
        VM.warp(block.timestamp + 59);
        require(!receipt.isFinal());
        freeze(requestId, address(0xc));
        IAttribution.ReceiptInfo memory frozen = Receipts.get(requestId);
        require(!frozen.stands() && frozen.finalAt() == type(uint64).max);
        VM.warp(block.timestamp + 1);
        require(receipt.isFinal() && !frozen.isFinal());
        resolve(requestId, false);
        require(Receipts.get(requestId).isFinal());
    }

    // ── Lineage ────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_lineage_leads_from_the_answer_to_its_datanet() external {
        bytes32 requestId = ask(address(this), model, 1 ether);
        answer(requestId, contribution);
        IAttribution.Lineage memory lineage = Lineage.read(requestId);
        uint64[] memory set = new uint64[](1);
        set[0] = datanet;
        lineage.requireOnly(set);
        require(lineage.ppmFrom(set) == 1_000_000 && lineage.entries[0].owner == SERVER);
        require(Lineage.datasetsOf(model)[0].datanet == datanet);
        set[0] = datanet + 1;
        require(lineage.ppmFrom(set) == 0);
        VM.expectRevert(abi.encodeWithSelector(Lineage.NotApproved.selector, model, datanet));
        this.requireOnly(lineage, set);
    }

    function testFuzz_sets_contain_what_is_in_them(uint64[] memory numbers, uint64 sought) external pure {
        // Ascending and distinct, by stepping up from one to the next.
        uint64[] memory set = new uint64[](numbers.length % 20);
        uint64 last = 0;
        bool expected = false;
        for (uint256 i = 0; i < set.length; ++i) {
            last += 1 + numbers[i] % 3;
            set[i] = last;
            if (last == sought % 40) expected = true;
        }
        Lineage.requireSet(set);
        require(Lineage.contains(set, sought % 40) == expected);
    }

    function testFuzz_only_subsets_of_the_approved_pass(uint16 trainedBits, uint16 approvedBits) external {
        IAttribution.DatasetRef[] memory datasets = new IAttribution.DatasetRef[](16);
        uint64[] memory set = new uint64[](16);
        uint256 datasetCount = 0;
        uint256 setCount = 0;
        for (uint64 i = 0; i < 16; ++i) {
            if (trainedBits >> i & 1 == 1) datasets[datasetCount++] = IAttribution.DatasetRef(i + 1, 1);
            if (approvedBits >> i & 1 == 1) set[setCount++] = i + 1;
        }
        assembly ("memory-safe") {
            mstore(datasets, datasetCount)
            mstore(set, setCount)
        }
        if (trainedBits & ~approvedBits != 0) VM.expectPartialRevert(Lineage.NotApproved.selector);
        this.requireOnly(datasets, set);
    }

    // ── Licences ───────────────────────────────────────────────────────────────────────────────────────────────────

    function test_terms_permit_what_they_say() external {
        IDatanets.Terms memory terms = Licences.limited(Licences.TRAIN, Licences.RESEARCH, uint64(block.timestamp) + 9);
        uint64 limited = contribute(SERVER, datanet, 1, terms);
        (bool permitted, uint64 until) = Licences.permits(limited, address(this), Licences.TRAIN, Licences.RESEARCH);
        require(permitted && until == terms.expiry);
        (permitted,) = Licences.permits(limited, address(this), Licences.TRAIN, Licences.COMMERCIAL);
        require(!permitted);
        uint64 sold = contribute(SERVER, datanet, 1, Licences.forSale(Licences.TRAIN, 1 ether));
        (permitted,) = Licences.permits(sold, address(this), Licences.TRAIN, Licences.RESEARCH);
        require(!permitted);
        DATANETS.buyGrant{value: 1 ether}(sold);
        (permitted,) = Licences.permits(sold, address(this), Licences.TRAIN, Licences.RESEARCH);
        require(permitted);
    }

    function test_model_serves_until_a_licence_ends_it() external {
        IDatanets.Terms memory terms = Licences.open(Licences.TRAIN | Licences.SERVE);
        terms.expiry = uint64(block.timestamp) + 100;
        uint64 brief = contribute(SERVER, datanet, 1, terms);
        publish(datanet, brief);
        uint64 dated = registerModel(SERVER, datanet);
        require(Licences.serves(model) && Licences.serves(dated));
        VM.warp(terms.expiry + 1);
        require(Licences.serves(model) && !Licences.serves(dated));
        VM.expectRevert(abi.encodeWithSelector(Licences.ModelEnded.selector, dated, terms.expiry, brief));
        this.requireServing(dated);
    }

    function testFuzz_within_is_the_rules(uint32 asked, uint32 limit) external pure {
        bool expected = limit == 0 || (asked != 0 && asked | limit == limit);
        require(Licences.within(asked, limit) == expected);
    }

    // ── Outside calls, so that their reverts can be expected ───────────────────────────────────────────────────────

    function settleUp(bytes32 requestId) external returns (uint256) {
        return Requests.settleUp(requestId);
    }

    function askFor(uint256 maxFee, uint64 withinSeconds) external {
        Requests.ask(model, "prompt", maxFee, withinSeconds);
    }

    function get(bytes32 requestId) external view returns (IAttribution.ReceiptInfo memory) {
        return Receipts.get(requestId);
    }

    function requireOnly(IAttribution.Lineage memory lineage, uint64[] memory set) external pure {
        Lineage.requireOnly(lineage, set);
    }

    function requireOnly(IAttribution.DatasetRef[] memory datasets, uint64[] memory set) external pure {
        Lineage.requireOnly(1, datasets, set);
    }

    function requireServing(uint64 asked) external view {
        Licences.requireServing(asked, 0, 0);
    }

    function signed(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }
}
