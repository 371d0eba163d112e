// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.22;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {Words} from "./Words.sol";

/// @title The same service in as little gas as one contract of its own design takes.
/// @notice Measured beside the precompiles and deployed nowhere else. Own calldata (eight bytes a share), own layout (one
/// slot a payee; a receipt is the code of a contract without functions, which its request's slot then points to; bond and
/// right to attest in one slot, with locks in two epochs), few checks, no text in errors, one short event a call.
contract OwnLayout is Words {
    error Refused();

    event Contributed(uint256 indexed contribution, address indexed owner, uint256 datanet, bytes32 root);
    event Requested(bytes32 indexed id, address indexed payer, bytes32 promptHash);
    event Settled(bytes32 indexed id, address receipt);
    event Drawn(uint256 indexed contribution, address indexed account, uint256 amount);
    event Claimed(address indexed account, uint256 amount);

    // Slot 0: platform 160, contributions 40, commitments 40. Slot 1: Datanets 24, models 24.
    uint256 private constant COUNTS = 1;
    // An array, so that finding a payee hashes nothing: accrued 96, Datanet 24, version 20, rows 24, flags 8.
    uint256 private constant EARNERS = 1 << 64;
    // owner 160, set of co-owners 16, uses 16, expiry 40, Datanet 24; +1 root.
    uint256 private constant TITLES = 3;
    // priority 40, block 40, deposit 96.
    uint256 private constant COMMITMENTS = 4;
    // owner 160, receipts 40, platform's, model's and stakers' bps 16 each, datasets 8; +1 rates 72 each, end 40;
    // +2 adapter; +3 … four datasets each: Datanet 24, version 20, weight in ppm 20.
    uint256 private constant MODELS = 5;
    // By model and attestor: total 80, locked in this epoch and the one before 72 each, epoch 32.
    uint256 private constant BONDS = 6;
    // payer or receipt 160, model 24, status 8, deadline or time settled 40; +1 most fee 96.
    uint256 private constant REQUESTS = 7;
    uint256 private constant RECEIPTS = 8;
    uint256 private constant CREDITS = 9;
    // By Datanet: owner 160; +1 accrued.
    uint256 private constant DATANETS = 10;
    uint256 private constant BALANCES = 11;
    uint256 private constant CO_OWNERS = 12;
    // By Datanet and version: root, rows.
    uint256 private constant VERSIONS = 13;
    uint256 private constant DEPOSIT = 1_000;
    uint256 private constant REVEAL_WINDOW = 10;
    uint256 private constant CHALLENGE_WINDOW = 100;
    // Bytes of a receipt before its shares: payer and attestor 20 each, fee and contributors' part 12 each, two hashes,
    // tokens and unattributed part 12; then 40 of a tail: root, ppm 4, leaves 4.
    uint256 private constant HEADER = 180;

    constructor(address platform) {
        put(0, uint160(platform));
    }

    function createDatanet() external returns (uint256 datanet) {
        uint256 counts = get(COUNTS) + 1;
        put(COUNTS, counts);
        datanet = bits(counts, 0, 24);
        put(slotOf(DATANETS, datanet), uint160(msg.sender));
    }

    function publish(uint256 datanet, uint256 first, uint256 last, uint256 version, bytes32 root) external {
        if (address(uint160(get(slotOf(DATANETS, datanet)))) != msg.sender) revert Refused();
        for (uint256 c = first; c <= last; c++) {
            uint256 place = EARNERS + c;
            uint256 earner = get(place);
            if (bits(earner, 96, 24) != datanet || bits(earner, 120, 20) != 0) revert Refused();
            put(place, earner | version << 120);
        }
        put(slotOf(slotOf(VERSIONS, datanet), version), uint256(root));
    }

    /// `head` without owner and receipts, as in storage; datasets as in storage.
    function register(uint256 head, uint256 rates, bytes32 adapter, uint256[] calldata datasets)
        external
        payable
        returns (uint256 model)
    {
        uint256 counts = get(COUNTS) + (1 << 24);
        put(COUNTS, counts);
        model = bits(counts, 24, 24);
        uint256 place = slotOf(MODELS, model);
        put(place, uint160(msg.sender) | head >> 200 << 200);
        put(place + 1, rates);
        put(place + 2, uint256(adapter));
        for (uint256 i = 0; i < datasets.length; i++) {
            put(place + 3 + i, datasets[i]);
        }
        put(slotOf(slotOf(BONDS, model), uint160(msg.sender)), msg.value);
    }

    function commit(bytes32 commitment) external payable {
        if (msg.value != DEPOSIT) revert Refused();
        uint256 place = slotOf(slotOf(COMMITMENTS, uint160(msg.sender)), uint256(commitment));
        if (get(place) != 0) revert Refused();
        uint256 counts = get(0) + (1 << 200);
        put(0, counts);
        put(place, counts >> 200 | block.number << 40 | msg.value << 80);
    }

    function reveal(uint256 datanet, bytes32 root, bytes32 salt, uint256 rows, uint256 uses, uint256 expiry)
        external
        returns (uint256 contribution)
    {
        uint256 commitment = uint256(keccak256(abi.encode(block.chainid, datanet, msg.sender, root, salt)));
        uint256 place = slotOf(slotOf(COMMITMENTS, uint160(msg.sender)), commitment);
        uint256 committed = get(place);
        uint256 first = bits(committed, 40, 40);
        bool allowed = committed != 0 && block.number > first && block.number <= first + REVEAL_WINDOW;
        allowed = allowed && rows != 0 && rows < 2 ** 24 && uses < 16 && (expiry == 0 || expiry >= block.timestamp);
        if (!allowed || get(slotOf(DATANETS, datanet)) == 0) revert Refused();
        put(place, 0);
        uint256 counts = get(0) + (1 << 160);
        put(0, counts);
        contribution = bits(counts, 160, 40);
        put(EARNERS + contribution, datanet << 96 | rows << 140);
        place = slotOf(TITLES, contribution);
        put(place, uint160(msg.sender) | uses << 176 | expiry << 192 | datanet << 232);
        put(place + 1, uint256(root));
        place = slotOf(BALANCES, uint160(msg.sender));
        put(place, get(place) + 1);
        emit Contributed(contribution, msg.sender, datanet, root);
        payOut(msg.sender, committed >> 80);
    }

    function request(uint256 model, bytes32 promptHash, uint256 deadline) external payable returns (bytes32 id) {
        if (deadline < block.timestamp + 60 || deadline > block.timestamp + 3_600 || msg.value >> 96 != 0) {
            revert Refused();
        }
        id = keccak256(abi.encode(block.chainid, msg.sender, model, promptHash, deadline));
        uint256 place = slotOf(REQUESTS, uint256(id));
        if (get(place) != 0 || get(slotOf(MODELS, model)) == 0) revert Refused();
        put(place, uint160(msg.sender) | model << 160 | 1 << 184 | deadline << 192);
        put(place + 1, msg.value);
        emit Requested(id, msg.sender, promptHash);
    }

    struct Settling {
        uint256 model;
        address payer;
        uint256 maxFee;
        uint256 fee;
        uint256 contributors;
        uint256 head;
        uint256 modelPlace;
        uint256 given;
        uint256 tailWei;
    }

    /// `tokens`: in 32, out 32, unattributed ppm 32. Shares: 2 bytes what the contribution is beyond the one before, 3 the
    /// row, 3 the ppm.
    function settle(bytes32 id, bytes32 answerHash, bytes32 scoreRoot, uint256 tokens, bytes calldata shares) external {
        settleReceipt(id, answerHash, scoreRoot, tokens, shares, 0, 0);
    }

    /// `tail`: ppm 32, leaves 32.
    function settleTail(
        bytes32 id,
        bytes32 answerHash,
        bytes32 scoreRoot,
        uint256 tokens,
        bytes calldata shares,
        bytes32 root,
        uint256 tail
    ) external {
        settleReceipt(id, answerHash, scoreRoot, tokens, shares, root, tail);
    }

    function settleReceipt(
        bytes32 id,
        bytes32 answerHash,
        bytes32 scoreRoot,
        uint256 tokens,
        bytes calldata shares,
        bytes32 root,
        uint256 tail
    ) private {
        Settling memory s;
        uint256 place = slotOf(REQUESTS, uint256(id));
        open(place, s);
        price(s, tokens);
        accrue(shares, bits(tokens, 64, 32), bits(tail, 0, 32), s);
        address receipt = keep(
            abi.encodePacked(
                s.payer,
                msg.sender,
                uint96(s.fee),
                uint96(s.contributors),
                answerHash,
                scoreRoot,
                uint96(tokens),
                root,
                uint64(tail),
                shares
            )
        );
        put(place, uint160(receipt) | s.model << 160 | 2 << 184 | block.timestamp << 192);
        put(place + 1, 0);
        put(slotOf(slotOf(RECEIPTS, s.model), bits(s.head, 160, 40)), uint256(id));
        put(s.modelPlace, s.head + (1 << 160));
        emit Settled(id, receipt);
        payOut(s.payer, s.maxFee - s.fee);
    }

    function open(uint256 place, Settling memory s) private view {
        uint256 word = get(place);
        if (bits(word, 184, 8) != 1 || block.timestamp > word >> 192) revert Refused();
        s.payer = address(uint160(word));
        s.model = bits(word, 160, 24);
        s.maxFee = get(place + 1);
    }

    function price(Settling memory s, uint256 tokens) private {
        uint256 place = slotOf(MODELS, s.model);
        s.modelPlace = place;
        uint256 head = get(place);
        s.head = head;
        uint256 rates = get(place + 1);
        uint256 end = rates >> 216;
        if (end != 0 && block.timestamp > end) revert Refused();
        unchecked {
            uint256 shared = bits(tokens, 0, 32) * bits(rates, 0, 72) + bits(tokens, 32, 32) * bits(rates, 72, 72);
            uint256 platformFee = bits(rates, 144, 72);
            s.fee = shared + platformFee;
            if (s.fee > s.maxFee) revert Refused();
            uint256 ofPlatform = shared * bits(head, 200, 16) / BPS;
            uint256 ofModel = shared * bits(head, 216, 16) / BPS;
            uint256 ofStakers = shared * bits(head, 232, 16) / BPS;
            s.contributors = shared - ofPlatform - ofModel - ofStakers;
            lock(s.model, s.contributors);
            credit(address(uint160(get(0))), ofPlatform + platformFee);
            address owner = address(uint160(head));
            if (owner == msg.sender) {
                credit(owner, ofModel + ofStakers);
            } else {
                credit(owner, ofModel);
                credit(msg.sender, ofStakers);
            }
        }
    }

    function lock(uint256 model, uint256 amount) private {
        uint256 place = slotOf(slotOf(BONDS, model), uint160(msg.sender));
        uint256 bond = get(place);
        uint256 epoch = block.timestamp / CHALLENGE_WINDOW;
        uint256 current = bits(bond, 80, 72);
        uint256 before = bits(bond, 152, 72);
        unchecked {
            uint256 passed = epoch - (bond >> 224);
            if (passed != 0) {
                before = passed == 1 ? current : 0;
                current = 0;
            }
            current += amount;
            uint256 total = bits(bond, 0, 80);
            if (total < current + before || total == 0) revert Refused();
            put(place, total | current << 80 | before << 152 | epoch << 224);
        }
    }

    function credit(address account, uint256 amount) private {
        if (amount == 0) return;
        uint256 place = slotOf(CREDITS, uint160(account));
        put(place, get(place) + amount);
    }

    function accrue(bytes calldata shares, uint256 unattributed, uint256 tailPpm, Settling memory s) private {
        uint256 count = s.head >> 248;
        uint256[] memory datasets = datasetsOf(s.modelPlace, count);
        uint256 whole = s.contributors;
        uint256 contribution;
        uint256 last;
        uint256 ppm;
        uint256 given;
        unchecked {
            if (shares.length > 2_048 || shares.length % 8 != 0) revert Refused();
            for (uint256 i = 0; i < shares.length; i += 8) {
                uint256 share = uint64(bytes8(shares[i:i + 8]));
                contribution += share >> 48;
                uint256 row = bits(share, 24, 24);
                uint256 here = contribution << 24 | row;
                uint256 part = uint24(share);
                if (here <= last || part == 0) revert Refused();
                last = here;
                uint256 place = EARNERS + contribution;
                uint256 earner = get(place);
                check(earner, row, datasets);
                ppm += part;
                uint256 upto = whole * ppm / PPM;
                put(place, earner + (upto - given));
                given = upto;
            }
            if (ppm + unattributed + tailPpm != PPM) revert Refused();
            if (unattributed == 0) return;
            ppm += tailPpm;
            s.tailWei = whole * ppm / PPM - given;
            payUnattributed(whole - s.tailWei - given, datasets);
        }
    }

    function check(uint256 earner, uint256 row, uint256[] memory datasets) private pure {
        uint256 datanet = bits(earner, 96, 24);
        uint256 version = bits(earner, 120, 20);
        unchecked {
            for (uint256 i = 0; i < datasets.length; i++) {
                uint256 dataset = datasets[i];
                if (bits(dataset, 0, 24) != datanet) continue;
                // No flag is set, and the row is there.
                if (version != 0 && version <= bits(dataset, 24, 20) && earner >> 140 > row) return;
            }
        }
        revert Refused();
    }

    function datasetsOf(uint256 modelPlace, uint256 count) private view returns (uint256[] memory datasets) {
        datasets = new uint256[](count);
        uint256 word;
        unchecked {
            for (uint256 i = 0; i < count; i++) {
                word = i % 4 == 0 ? get(modelPlace + 3 + i / 4) : word >> 64;
                datasets[i] = uint64(word);
            }
        }
    }

    /// To the Datanets, whose owners draw it.
    function payUnattributed(uint256 amount, uint256[] memory datasets) private {
        uint256 weight;
        uint256 given;
        for (uint256 i = 0; i < datasets.length; i++) {
            weight += bits(datasets[i], 44, 20);
            uint256 upto = amount * weight / PPM;
            if (upto == given) continue;
            uint256 place = slotOf(DATANETS, bits(datasets[i], 0, 24)) + 1;
            put(place, get(place) + upto - given);
            given = upto;
        }
    }

    /// Keeps bytes as the code of a contract, after a byte that stops whoever calls it.
    function keep(bytes memory data) private returns (address place) {
        bytes memory code = abi.encodePacked(hex"600B5981380380925939F300", data);
        assembly ("memory-safe") {
            place := create(0, add(code, 32), mload(code))
        }
        if (place == address(0)) revert Refused();
    }

    function draw(uint256[] calldata contributions) external {
        for (uint256 i = 0; i < contributions.length; i++) {
            uint256 place = EARNERS + contributions[i];
            uint256 earner = get(place);
            uint256 amount = uint96(earner);
            put(place, earner - amount);
            uint256 title = get(slotOf(TITLES, contributions[i]));
            uint256 set = bits(title, 160, 16);
            uint256 given;
            if (set != 0) given = payCoOwners(contributions[i], set, amount);
            credit(address(uint160(title)), amount - given);
            emit Drawn(contributions[i], address(uint160(title)), amount - given);
        }
    }

    function payCoOwners(uint256 contribution, uint256 set, uint256 amount) private returns (uint256 given) {
        uint256 place = slotOf(slotOf(CO_OWNERS, contribution), set);
        for (uint256 word = get(place); word != 0; word = get(++place)) {
            uint256 part = amount * (word >> 160) / BPS;
            given += part;
            credit(address(uint160(word)), part);
            emit Drawn(contribution, address(uint160(word)), part);
        }
    }

    function claim() external returns (uint256 amount) {
        uint256 place = slotOf(CREDITS, uint160(msg.sender));
        amount = get(place);
        if (amount == 0) revert Refused();
        put(place, 0);
        emit Claimed(msg.sender, amount);
        payOut(msg.sender, amount);
    }

    function lineageOf(bytes32 id, uint256 offset, uint256 limit)
        external
        view
        returns (IAttribution.Lineage memory shown)
    {
        uint256 word = get(slotOf(REQUESTS, uint256(id)));
        if (bits(word, 184, 8) != 2) revert Refused();
        bytes memory receipt = address(uint160(word)).code;
        uint256 model = bits(word, 160, 24);
        shown.model = uint64(model);
        assembly ("memory-safe") {
            mstore(shown, mload(add(receipt, 97)))
        }
        uint256 place = slotOf(MODELS, model);
        shown.adapterHash = bytes32(get(place + 2));
        uint256[] memory datasets = datasetsOf(place, get(place) >> 248);
        shown.datasets = new IAttribution.DatasetRef[](datasets.length);
        shown.datasetRoots = new bytes32[](datasets.length);
        for (uint256 i = 0; i < datasets.length; i++) {
            (uint256 datanet, uint256 version) = (bits(datasets[i], 0, 24), bits(datasets[i], 24, 20));
            shown.datasets[i] = IAttribution.DatasetRef(uint64(datanet), uint32(version));
            shown.datasetRoots[i] = bytes32(get(slotOf(slotOf(VERSIONS, datanet), version)));
        }
        uint256 total = (receipt.length - 1 - HEADER) / 8;
        shown.total = total;
        if (offset > total) offset = total;
        if (limit > total - offset) limit = total - offset;
        shown.entries = new IAttribution.LineageEntry[](limit);
        show(shown.entries, receipt, offset);
    }

    function show(IAttribution.LineageEntry[] memory entries, bytes memory receipt, uint256 offset) private view {
        uint256 contribution;
        unchecked {
            for (uint256 i = 0; i < offset + entries.length; i++) {
                uint256 share;
                assembly ("memory-safe") {
                    share := shr(192, mload(add(receipt, add(213, mul(i, 8)))))
                }
                contribution += share >> 48;
                if (i < offset) continue;
                IAttribution.LineageEntry memory entry = entries[i - offset];
                (entry.contribution, entry.row) = (uint64(contribution), uint32(bits(share, 24, 24)));
                entry.ppm = uint24(share);
                uint256 place = slotOf(TITLES, contribution);
                uint256 title = get(place);
                (entry.datanet, entry.owner) = (uint64(title >> 232), address(uint160(title)));
                entry.contributionRoot = bytes32(get(place + 1));
            }
        }
    }
}
