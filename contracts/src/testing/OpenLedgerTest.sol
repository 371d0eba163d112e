// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

// Those that are not named below are imported to be compiled.
import {Court} from "../Court.sol";
import {
    ATTRIBUTION,
    CLAIM_ROUTER,
    CONTRIBUTION_TOKEN,
    COURT,
    DATANETS,
    DATANET_TOKEN,
    OpenLedger,
    PAYOUTS
} from "../OpenLedger.sol";
import {ClaimRouter} from "../facades/ClaimRouter.sol";
import {ContributionToken} from "../facades/ContributionToken.sol";
import {DatanetToken} from "../facades/DatanetToken.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {Licences} from "../library/Licences.sol";
import {ReferenceAttribution} from "../reference/ReferenceAttribution.sol";
import {ReferenceDatanets} from "../reference/ReferenceDatanets.sol";
import {ReferencePayouts} from "../reference/ReferencePayouts.sol";
import {CHEATS} from "./Cheats.sol";
import {MockPrecompile} from "./MockPrecompile.sol";

/// @title OpenLedgerTest
/// @notice For `forge test` without a node: inherit it (beside forge-std's `Test`, if you use that) and call
/// `setUpOpenLedger()` in `setUp`. The three precompiles, the two tokens, the ClaimRouter and the court are then at
/// their addresses, with the chain's rules, events and typed errors.
/// @dev What differs from the chain: gas (the mocks are plain Solidity and cost many times more); money that a mock pays
/// runs the receiver's code, where the precompile runs none; and what `MockPrecompile` names.
abstract contract OpenLedgerTest {
    /// What a chain's genesis chooses.
    struct ChainParameters {
        uint256 commitDeposit;
        uint64 revealWindow;
        uint64 challengeWindow;
        address platform;
        uint64 minimumDeadline;
        uint64 maximumDeadline;
    }

    /// @notice The tokens' price and split that `registerModel` gives a model.
    uint128 internal constant PRICE_PER_TOKEN = 1e12;
    /// @notice An answer of `answer` has so many tokens in, and as many out.
    uint32 internal constant ANSWER_TOKENS = 100;
    /// @notice What an answer of `answer` costs, and what of that goes to contributors.
    uint256 internal constant ANSWER_FEE = 2 * ANSWER_TOKENS * uint256(PRICE_PER_TOKEN);
    uint256 internal constant ANSWER_INCOME = ANSWER_FEE * 7 / 10;

    uint256 private _salts;

    // ── The chain ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The devnet's parameters.
    function chainParameters() internal pure virtual returns (ChainParameters memory) {
        return ChainParameters({
            commitDeposit: 0.1 ether,
            revealWindow: 256,
            challengeWindow: 60,
            platform: address(0x91A7F0),
            minimumDeadline: 30,
            maximumDeadline: 3_600
        });
    }

    /// @notice Puts everything at its address, as genesis does.
    function setUpOpenLedger() internal {
        ChainParameters memory chosen = chainParameters();
        _etch("Datanets", address(DATANETS), _mock("ReferenceDatanets", address(DATANETS)));
        _etch("Attribution", address(ATTRIBUTION), _mock("ReferenceAttribution", address(ATTRIBUTION)));
        _etch("Payouts", address(PAYOUTS), _mock("ReferencePayouts", address(PAYOUTS)));
        // The slots that docs/precompiles give the parameters.
        CHEATS.store(address(DATANETS), 0, bytes32(chosen.commitDeposit));
        CHEATS.store(address(DATANETS), bytes32(uint256(1)), bytes32(uint256(chosen.revealWindow)));
        CHEATS.store(address(ATTRIBUTION), 0, bytes32(uint256(chosen.challengeWindow)));
        uint256 platformAndMinimum = uint160(chosen.platform) | uint256(chosen.minimumDeadline) << 160;
        CHEATS.store(address(PAYOUTS), 0, bytes32(platformAndMinimum));
        CHEATS.store(address(PAYOUTS), bytes32(uint256(1)), bytes32(uint256(chosen.maximumDeadline)));

        _etch("DatanetToken", DATANET_TOKEN, _codeOf("DatanetToken"));
        _etch("ContributionToken", CONTRIBUTION_TOKEN, _codeOf("ContributionToken"));
        _etch("ClaimRouter", CLAIM_ROUTER, _codeOf("ClaimRouter"));
        bytes memory terms = abi.encode(uint256(0.1 ether), uint256(0.2 ether), uint64(60), uint64(60), uint64(60));
        _etch("Court", address(COURT), CHEATS.deployCode("Court.sol:Court", terms).code);
    }

    /// @notice So many blocks on, a second each.
    function nextBlocks(uint256 blocks) internal {
        CHEATS.roll(block.number + blocks);
        CHEATS.warp(block.timestamp + blocks);
    }

    // ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function createDatanet(address owner, string memory domain) internal returns (uint64 datanet) {
        CHEATS.prank(owner);
        return DATANETS.createDatanet(keccak256("schema"), domain, "ipfs://metadata");
    }

    /// @notice A contribution that anyone may train and serve with, for ever.
    function contribute(address owner, uint64 datanet, uint32 rows) internal returns (uint64) {
        return contribute(owner, datanet, rows, Licences.open(Licences.TRAIN | Licences.SERVE));
    }

    function contribute(address owner, uint64 datanet, uint32 rows, IDatanets.Terms memory terms)
        internal
        returns (uint64)
    {
        return contribute(owner, datanet, rows, terms, new IDatanets.OwnerShare[](0));
    }

    /// @notice Commits, waits a block, reveals. The deposit is lent to the owner meanwhile.
    function contribute(
        address owner,
        uint64 datanet,
        uint32 rows,
        IDatanets.Terms memory terms,
        IDatanets.OwnerShare[] memory coOwners
    ) internal returns (uint64 contribution) {
        bytes32 salt = _salt();
        bytes32 root = keccak256(abi.encode("root", salt));
        uint256 deposit = DATANETS.commitDeposit();
        uint256 held = owner.balance;
        CHEATS.deal(owner, held + deposit);
        bytes32 commitment = OpenLedger.commitmentOf(datanet, owner, root, salt);
        CHEATS.prank(owner);
        DATANETS.commit{value: deposit}(commitment);
        nextBlocks(1);
        CHEATS.prank(owner);
        contribution = DATANETS.revealWith(datanet, root, salt, rows, terms, coOwners);
        CHEATS.deal(owner, held);
    }

    /// @notice Publishes a version with these contributions, by the Datanet's owner.
    function publish(uint64 datanet, uint64[] memory contributions) internal returns (uint32 version) {
        address owner = DATANETS.datanetOf(datanet).owner;
        CHEATS.prank(owner);
        return DATANETS.publishVersion(datanet, contributions, bytes32(0), 0);
    }

    function publish(uint64 datanet, uint64 contribution) internal returns (uint32) {
        uint64[] memory one = new uint64[](1);
        one[0] = contribution;
        return publish(datanet, one);
    }

    // ── Models and answers ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A model for every purpose on the Datanet's latest version. Its owner attests, behind a bond of 100 OPEN.
    function registerModel(address owner, uint64 datanet) internal returns (uint64) {
        IAttribution.ModelExtras memory extras;
        return registerModel(owner, datanet, extras);
    }

    function registerModel(address owner, uint64 datanet, IAttribution.ModelExtras memory extras)
        internal
        returns (uint64)
    {
        uint64[] memory one = new uint64[](1);
        one[0] = datanet;
        return registerModel(owner, one, extras);
    }

    /// @notice A model on the latest versions of several Datanets, ascending. Tokens cost `PRICE_PER_TOKEN`, of which the
    /// platform has 5 %, the model's owner 20 %, the attestor 5 %, contributors 70 %.
    function registerModel(address owner, uint64[] memory datanets, IAttribution.ModelExtras memory extras)
        internal
        returns (uint64 model)
    {
        IAttribution.ModelSpec memory spec;
        (spec.base, spec.adapterHash) = ("base", keccak256("adapter"));
        (spec.trainingHash, spec.method) = (keccak256("training"), keccak256("method"));
        spec.bandPpm = 1_000;
        spec.price = IAttribution.Price({perTokenIn: PRICE_PER_TOKEN, perTokenOut: PRICE_PER_TOKEN, platformFee: 0});
        spec.split = IAttribution.Split({platform: 500, model: 2_000, stakers: 500, contributors: 7_000});
        spec.datasets = new IAttribution.DatasetRef[](datanets.length);
        for (uint256 i = 0; i < datanets.length; ++i) {
            spec.datasets[i] = IAttribution.DatasetRef(datanets[i], DATANETS.datanetOf(datanets[i]).versions);
        }
        spec.metadataURI = "ipfs://model";
        CHEATS.prank(owner);
        model = ATTRIBUTION.registerModelWith(spec, extras);
        bondFor(owner, 100 ether);
    }

    /// @notice Bonds new wei in the name of an attestor.
    function bondFor(address attestor, uint256 amount) internal {
        uint256 held = attestor.balance;
        CHEATS.deal(attestor, held + amount);
        CHEATS.prank(attestor);
        ATTRIBUTION.bond{value: amount}();
    }

    /// @notice A request by `payer`, whose wei it escrows, with a salt of its own and the latest deadline.
    function ask(address payer, uint64 model, uint256 maxFee) internal returns (bytes32 requestId) {
        (, uint64 latest) = PAYOUTS.deadlineBounds();
        bytes32 promptHash = _salt();
        CHEATS.prank(payer);
        return PAYOUTS.request{value: maxFee}(model, promptHash, uint64(block.timestamp) + latest);
    }

    /// @notice Settles a request by its model's owner: all of the answer comes from row 0 of one contribution.
    function answer(bytes32 requestId, uint64 contribution) internal {
        IAttribution.ClusterShare[] memory shares = new IAttribution.ClusterShare[](1);
        shares[0] = IAttribution.ClusterShare(contribution, 0, 1_000_000);
        answer(requestId, shares, keccak256(abi.encode("answer", requestId)));
    }

    /// @notice Settles a request with these shares; what they leave of a million parts is unattributed.
    /// @param answerHash `OpenLedger.answerHashOf`.
    function answer(bytes32 requestId, IAttribution.ClusterShare[] memory shares, bytes32 answerHash) internal {
        IAttribution.Receipt memory receipt;
        (receipt.requestId, receipt.answerHash) = (requestId, answerHash);
        receipt.scoreRoot = keccak256("scores");
        (receipt.tokensIn, receipt.tokensOut) = (ANSWER_TOKENS, ANSWER_TOKENS);
        receipt.unattributedPpm = 1_000_000;
        for (uint256 i = 0; i < shares.length; ++i) {
            receipt.unattributedPpm -= shares[i].ppm;
        }
        receipt.shares = shares;
        address owner = ATTRIBUTION.modelOf(PAYOUTS.requestOf(requestId).model).owner;
        CHEATS.prank(owner);
        ATTRIBUTION.settle(receipt);
    }

    /// @notice As if `account` were owed new wei, which it can claim.
    function owe(address account, uint256 amount) internal {
        // Slot 3 of Payouts is creditOf.
        bytes32 slot = keccak256(abi.encode(account, uint256(3)));
        CHEATS.store(address(PAYOUTS), slot, bytes32(PAYOUTS.creditOf(account) + amount));
        CHEATS.deal(address(PAYOUTS), address(PAYOUTS).balance + amount);
    }

    // ── Disputes ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice As if the court had admitted a challenge, without a stake.
    function freeze(bytes32 requestId, address challenger) internal {
        CHEATS.prank(address(COURT));
        ATTRIBUTION.freezeReceipt(requestId, challenger);
    }

    /// @notice As if the court had decided, without corrected shares.
    function resolve(bytes32 requestId, bool wrong) internal {
        CHEATS.prank(address(COURT));
        ATTRIBUTION.resolveReceipt(requestId, wrong, new IAttribution.ClusterShare[](0));
    }

    /// @dev The reference implementation behind a front that knows where it stands.
    function _mock(string memory name, address self) private returns (bytes memory) {
        address implementation = address(uint160(uint256(keccak256(bytes(name)))));
        _etch(name, implementation, _codeOf(name));
        return address(new MockPrecompile(implementation, self)).code;
    }

    /// @dev From forge's artifacts: to create them here would have every test contract compile them anew.
    function _codeOf(string memory name) private view returns (bytes memory) {
        return CHEATS.getDeployedCode(string.concat(name, ".sol:", name));
    }

    function _etch(string memory name, address account, bytes memory code) private {
        CHEATS.etch(account, code);
        CHEATS.label(account, name);
    }

    function _salt() private returns (bytes32) {
        return keccak256(abi.encode("salt", ++_salts));
    }
}
