// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../OpenLedger.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";
import {Licences} from "../library/Licences.sol";
import {Lineage} from "../library/Lineage.sol";
import {Receipts} from "../library/Receipts.sol";
import {Requests} from "../library/Requests.sol";

/// @title ApprovedAgent
/// @notice An example: an agent with money of its own that asks models, and acts on their answers, but only where the
/// chain shows that an answer comes from approved data. Its owner teaches it which answer to which question calls for
/// which action; anyone who knows question and answer can then have it act.
///
/// It acts on an answer only where
/// - it asked the question itself, and has not acted on the answer before;
/// - the receipt is for exactly this question and this answer;
/// - the receipt has stood for the policy's minimum age without a challenge, or the court upheld it, and it is not older
///   than the maximum;
/// - the model was trained on approved Datanets alone, and rows of theirs shaped enough of this answer;
/// - the licences still let the model serve, for the policy's purposes and regions.
/// @dev The policy cannot change: who wants another one deploys another agent. Money is not locked by waiting requests:
/// escrow that runs out comes back by `IPayouts.refund`, which anyone can call.
contract ApprovedAgent is Ownable, IERC1271 {
    using Receipts for IAttribution.ReceiptInfo;
    using Lineage for IAttribution.Lineage;

    struct Policy {
        /// Approved Datanets, ascending.
        uint64[] datanets;
        /// Part of an answer that their rows must have shaped, in parts per million.
        uint32 minimumPpm;
        /// Purposes and regions that the model must be licensed for, as in a licence; 0 means any.
        uint32 purposes;
        uint32 regions;
        /// Seconds that a receipt must have stood; the chain's challenge window makes it final.
        uint64 minimumAge;
        /// Seconds after which an answer is too old to act on.
        uint64 maximumAge;
    }

    struct Action {
        address target;
        uint256 value;
        bytes data;
    }

    /// What shows that a receipt is for a question and an answer.
    struct Opening {
        bytes32 promptSalt;
        bytes prompt;
        bytes32 answerSalt;
        /// The answer, as its model's tokenizer numbers it.
        uint32[] answer;
    }

    enum Question {
        NotAsked,
        Asked,
        ActedOn
    }

    /// @notice What became of a request.
    mapping(bytes32 requestId => Question) public questionOf;

    Policy private _policy;
    mapping(bytes32 lesson => Action) private _actions;

    event Taught(bytes32 indexed lesson, address indexed target, uint256 value, bytes data);
    event Asked(bytes32 indexed requestId, uint64 indexed model, uint256 maxFee, uint64 deadline);
    event Acted(bytes32 indexed requestId, bytes32 indexed lesson, address indexed target, bytes result);

    error NoDatanets();
    error AgesCross(uint64 minimumAge, uint64 maximumAge);
    error PpmTooHigh(uint32 ppm);
    error NotAskedHere(bytes32 requestId);
    error AlreadyActedOn(bytes32 requestId);
    error AnotherQuestion(bytes32 expected, bytes32 given);
    error NothingToDo(bytes32 lesson);

    constructor(address owner_, Policy memory policy_) payable Ownable(owner_) {
        require(policy_.datanets.length != 0, NoDatanets());
        require(policy_.minimumPpm <= 1_000_000, PpmTooHigh(policy_.minimumPpm));
        require(policy_.minimumAge < policy_.maximumAge, AgesCross(policy_.minimumAge, policy_.maximumAge));
        Lineage.requireSet(policy_.datanets);
        for (uint256 i = 0; i < policy_.datanets.length; ++i) {
            // Reverts where there is none.
            DATANETS.datanetOf(policy_.datanets[i]);
        }
        _policy = policy_;
    }

    /// @dev What questions did not cost comes back here, and so does what actions bring.
    receive() external payable {}

    /// @notice The conditions under which this agent acts.
    function policy() external view returns (Policy memory) {
        return _policy;
    }

    // ── What to do ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The name of "this answer to this question".
    function lessonOf(bytes calldata prompt, uint32[] calldata answer) external pure returns (bytes32) {
        return _lessonOf(prompt, answer);
    }

    /// @notice Owner: what to do upon an answer. A target of zero ends it.
    /// @param lesson `lessonOf` question and answer, which need not be known to anyone yet.
    function teach(bytes32 lesson, Action calldata action) external onlyOwner {
        _actions[lesson] = action;
        emit Taught(lesson, action.target, action.value, action.data);
    }

    /// @notice What the agent would do; a target of zero is nothing.
    function actionOf(bytes32 lesson) external view returns (Action memory) {
        return _actions[lesson];
    }

    // ── Asking and acting ──────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Owner: asks a model, for at most `maxFee` of the agent's own wei. A model that the policy could not accept
    /// is not paid.
    /// @param promptHash `OpenLedger.promptHashOf` a fresh salt and the question.
    function ask(uint64 model, bytes32 promptHash, uint256 maxFee, uint64 withinSeconds)
        external
        onlyOwner
        returns (bytes32 requestId)
    {
        Policy memory p = _policy;
        Lineage.requireOnly(model, Lineage.datasetsOf(model), p.datanets);
        Licences.requireServing(model, p.purposes, p.regions);
        uint64 deadline;
        (requestId, deadline) = Requests.ask(model, promptHash, maxFee, withinSeconds);
        questionOf[requestId] = Question.Asked;
        emit Asked(requestId, model, maxFee, deadline);
    }

    /// @notice Anyone: acts on an answer. Reverts with the reason where the policy forbids it, and with the action's own
    /// error where that fails; it can be tried again then.
    function act(bytes32 requestId, Opening calldata opening) external returns (bytes memory result) {
        uint64 model = PAYOUTS.requestOf(requestId).model;
        // A withdrawn licence must not go unseen because nobody has had the model look.
        if (ATTRIBUTION.standingOf(model).pending != 0) ATTRIBUTION.refreshModel(model);
        bytes32 lesson = check(requestId, opening);
        // Before anything else runs: what the action calls finds the answer used.
        questionOf[requestId] = Question.ActedOn;
        Action memory action = _actions[lesson];
        result = Address.functionCallWithValue(action.target, action.data, action.value);
        emit Acted(requestId, lesson, action.target, result);
    }

    /// @notice Whether the agent may act on an answer now: returns what for, or reverts with the reason.
    function check(bytes32 requestId, Opening calldata opening) public view returns (bytes32 lesson) {
        Question question = questionOf[requestId];
        require(question != Question.ActedOn, AlreadyActedOn(requestId));
        require(question == Question.Asked, NotAskedHere(requestId));
        bytes32 promptHash = PAYOUTS.requestOf(requestId).promptHash;
        bytes32 given = OpenLedger.promptHashOf(opening.promptSalt, opening.prompt);
        require(promptHash == given, AnotherQuestion(promptHash, given));

        Policy memory p = _policy;
        IAttribution.ReceiptInfo memory receipt = Receipts.get(requestId);
        receipt.requireStanding();
        receipt.requireAge(p.minimumAge, p.maximumAge);
        receipt.requireAnswer(opening.answerSalt, opening.answer);
        IAttribution.Lineage memory lineage = Lineage.read(requestId);
        lineage.requireOnly(p.datanets);
        lineage.requireFrom(p.datanets, p.minimumPpm);
        Licences.requireServing(receipt.model, p.purposes, p.regions);

        lesson = _lessonOf(opening.prompt, opening.answer);
        require(_actions[lesson].target != address(0), NothingToDo(lesson));
    }

    // ── Money, and prompts ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Owner: takes money out.
    function withdraw(address payable to, uint256 amount) external onlyOwner {
        Address.sendValue(to, amount);
    }

    /// @notice EIP-1271: the owner speaks for the agent, as when it hands a prompt to an attributor.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool valid = SignatureChecker.isValidSignatureNow(owner(), hash, signature);
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function _lessonOf(bytes calldata prompt, uint32[] calldata answer) private pure returns (bytes32) {
        return keccak256(abi.encode(prompt, answer));
    }
}
