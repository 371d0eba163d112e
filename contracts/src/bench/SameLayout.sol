// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.22;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {IPayouts} from "../interfaces/IPayouts.sol";
import {Words} from "./Words.sol";

/// @title The precompiles' hot paths in Solidity that is written to be cheap: same interface, events, checks and storage.
/// @notice Measured beside the precompiles and deployed nowhere else. The three layouts of docs/precompiles lie in one
/// account, Attribution's slots from 100, Payouts' from 200 and the array of earners from 2^64 on, so that nothing is spent
/// on calls between contracts.
/// Of the rules that a settlement of the measured kind cannot meet, it refuses what they would go on to judge: models with
/// withdrawals that they have not seen, and rows of contributions with copies.
contract SameLayout is Words {
    uint256 private constant SHARES_BASE = 106;
    uint256 private constant EARNERS = 1 << 64;

    function commit(bytes32 commitment) external payable returns (uint64 priority) {
        uint256 deposit = get(0);
        if (msg.value != deposit) revert IDatanets.WrongDeposit(deposit, msg.value);
        uint256 place = slotOf(slotOf(5, uint160(msg.sender)), uint256(commitment));
        if (get(place) != 0) revert IDatanets.CommitmentExists(msg.sender, commitment);
        uint256 counted = get(1) + (1 << 192);
        put(1, counted);
        priority = uint64(counted >> 192);
        put(place, priority | block.number << 64);
        put(place + 1, msg.value);
        emit IDatanets.Committed(msg.sender, commitment, priority, msg.value);
    }

    function reveal(uint64 datanet, bytes32 root, bytes32 salt, uint32 rows, uint16 licence, uint64 expiry)
        external
        returns (uint64 contribution)
    {
        bytes32 commitment = keccak256(abi.encode(block.chainid, datanet, msg.sender, root, salt));
        uint256 place = slotOf(slotOf(5, uint160(msg.sender)), uint256(commitment));
        uint256 committed = get(place);
        uint64 priority = uint64(committed);
        if (priority == 0) revert IDatanets.UnknownCommitment(msg.sender, commitment);
        uint256 counted = get(1);
        {
            uint64 first = uint64(committed >> 64);
            uint64 last = first + uint64(counted);
            if (block.number <= first) revert IDatanets.RevealTooEarly(first + 1);
            if (block.number > last) revert IDatanets.RevealTooLate(last);
        }
        contribution = uint64(counted >> 128) + 1;
        checkRevealed(datanet, rows, licence, expiry, contribution);
        uint256 deposit = get(place + 1);
        put(place, 0);
        put(place + 1, 0);
        put(1, counted + (1 << 128));
        place = slotOf(4, contribution);
        put(place, uint160(msg.sender) | uint256(datanet) << 160 | uint256(rows) << 224);
        put(place + 1, licence | uint256(expiry) << 16 | uint256(priority) << 80 | 1 << 192);
        put(place + 2, uint256(root));
        put(slotOf(slotOf(10, contribution), 0), uint160(msg.sender) | BPS << 160);
        put(EARNERS + contribution, uint256(datanet) << 96 | uint256(rows) << 208);
        place = slotOf(8, uint160(msg.sender));
        put(place, get(place) + 1);
        emit IDatanets.Revealed(contribution, datanet, msg.sender, root, rows, licence, expiry, priority);
        payOut(msg.sender, deposit);
    }

    function checkRevealed(uint64 datanet, uint32 rows, uint16 licence, uint64 expiry, uint64 contribution) private {
        uint256 place = slotOf(2, datanet);
        uint256 title = get(place);
        if (title == 0) revert IDatanets.UnknownDatanet(datanet);
        uint256 rules = get(place + 1);
        if (bits(rules, 112, 8) & 1 != 0) revert IDatanets.DatanetClosed(datanet);
        if (rows == 0) revert IDatanets.NoRows();
        uint32 most = uint32(bits(rules, 136, 32));
        if (most == 0) most = 2 ** 24 - 1;
        if (rows > most) revert IDatanets.TooManyRows(most, rows);
        if (licence > 15) revert IDatanets.UnknownLicence(licence);
        if (expiry != 0 && block.timestamp > expiry) revert IDatanets.LicenceExpired(contribution, expiry);
        uint16 required = uint16(bits(rules, 120, 16));
        if (required & ~licence != 0) revert IDatanets.UsesRequired(required, licence);
        put(place, title + (1 << 160));
    }

    struct Settling {
        uint256 model;
        uint256 modelPlace;
        uint256 head;
        uint256 counts;
        uint256 request;
        uint256 maxFee;
        uint256 fee;
        uint256 ofPlatform;
        uint256 ofModel;
        uint256 ofStakers;
        uint256 contributors;
        uint256 inlinePpm;
        uint256 tailWei;
        uint256 attributed;
        uint256 base;
        uint256 contributionBits;
        uint256 rowBits;
        uint256 ppmBits;
        uint256 datasets;
        uint256[16] dataset;
        address[16] owners;
    }

    function settle(IAttribution.Receipt calldata receipt) external {
        IAttribution.Tail memory none;
        settleReceipt(receipt, none, false);
    }

    function settleTail(IAttribution.Receipt calldata receipt, IAttribution.Tail calldata tail) external {
        settleReceipt(receipt, tail, true);
    }

    function settleReceipt(IAttribution.Receipt calldata receipt, IAttribution.Tail memory tail, bool tailed) private {
        Settling memory s;
        checkRequest(receipt.requestId, s);
        checkShares(receipt, tail, tailed, s);
        price(receipt, s);
        checkStanding(s);
        uint256 counted = get(100);
        lock(s.contributors, uint64(counted));
        counted += 1 << 128;
        put(100, counted);
        store(receipt, tail, s, counted >> 128);
        emit IAttribution.ReceiptSettled(
            receipt.requestId,
            uint64(s.model),
            msg.sender,
            receipt.answerHash,
            receipt.scoreRoot,
            receipt.unattributedPpm,
            receipt.shares
        );
        if (tailed) emit IAttribution.TailSettled(receipt.requestId, tail.root, tail.ppm, tail.leaves, s.tailWei);
        pay(receipt, s);
    }

    function checkRequest(bytes32 requestId, Settling memory s) private view {
        uint256 place = slotOf(202, uint256(requestId));
        s.request = get(place);
        uint256 status = s.request >> 224;
        if (status == 0) revert IAttribution.UnknownRequest(requestId);
        if (status != 1) revert IAttribution.RequestClosed(requestId, uint8(status));
        uint256 terms = get(place + 1);
        if (block.timestamp > uint64(terms)) revert IAttribution.DeadlinePassed(uint64(terms));
        s.maxFee = terms >> 128;
        s.model = uint64(s.request >> 160);
        if (get(slotOf(slotOf(102, s.model), uint160(msg.sender))) == 0) {
            revert IAttribution.NotAttestor(uint64(s.model), msg.sender);
        }
    }

    function checkShares(
        IAttribution.Receipt calldata receipt,
        IAttribution.Tail memory tail,
        bool tailed,
        Settling memory s
    ) private pure {
        IAttribution.ClusterShare[] calldata shares = receipt.shares;
        uint256 count = shares.length;
        if (count > 256) revert IAttribution.TooManyShares(256, count);
        uint256 last;
        uint256 rows;
        uint256 widest;
        uint256 sum;
        unchecked {
            for (uint256 i = 0; i < count; i++) {
                IAttribution.ClusterShare calldata share = shares[i];
                uint256 ppm = share.ppm;
                uint256 row = share.row;
                if (ppm == 0) revert IAttribution.ZeroShare(i);
                uint256 place = uint256(share.contribution) << 32 | row;
                if (i != 0 && place <= last) revert IAttribution.SharesNotAscending(i);
                last = place;
                if (row > rows) rows = row;
                if (ppm > widest) widest = ppm;
                sum += ppm;
            }
        }
        s.inlinePpm = sum;
        if (tailed) {
            if (tail.root == 0 || tail.ppm == 0 || tail.leaves == 0) revert IAttribution.EmptyTail();
            if (tail.leaves > 2 ** 20) revert IAttribution.TooManyLeaves(2 ** 20, tail.leaves);
            sum += tail.ppm;
        }
        sum += receipt.unattributedPpm;
        if (sum != PPM) revert IAttribution.WrongShareSum(sum);
        if (count != 0) {
            s.base = shares[0].contribution;
            s.contributionBits = widthOf((last >> 32) - s.base);
            s.rowBits = widthOf(rows);
            s.ppmBits = widthOf(widest);
        }
    }

    function price(IAttribution.Receipt calldata receipt, Settling memory s) private view {
        uint256 place = slotOf(101, s.model);
        s.modelPlace = place;
        s.head = get(place);
        s.counts = get(place + 1);
        uint256 rates = get(place + 6);
        uint256 platformFee = uint128(get(place + 7));
        uint256 shared = receipt.tokensIn * uint256(uint128(rates)) + receipt.tokensOut * (rates >> 128);
        s.fee = shared + platformFee;
        if (s.fee > s.maxFee) revert IAttribution.FeeAboveMaximum(s.maxFee, s.fee);
        s.ofPlatform = shared * bits(s.counts, 64, 16) / BPS;
        s.ofModel = shared * bits(s.counts, 80, 16) / BPS;
        s.ofStakers = shared * bits(s.counts, 96, 16) / BPS;
        s.contributors = shared - s.ofPlatform - s.ofModel - s.ofStakers;
        s.ofPlatform += platformFee;
    }

    function checkStanding(Settling memory s) private view {
        uint256 count = bits(s.counts, 112, 8);
        s.datasets = count;
        uint256 place = slotOf(107, s.model);
        uint256 word;
        unchecked {
            for (uint256 i = 0; i < count; i++) {
                word = i & 1 == 0 ? get(place + i / 2) : word >> 128;
                uint256 dataset = uint128(word);
                s.dataset[i] = dataset;
                uint256 title = get(slotOf(2, uint64(dataset)));
                s.owners[i] = address(uint160(title));
                if (title >> 224 > dataset >> 96) revert IAttribution.RefreshNeeded(uint64(s.model));
            }
        }
        uint256 until = bits(s.counts, 128, 64);
        if (until != 0 && block.timestamp > until) {
            revert IAttribution.LicenceForbids(uint64(s.counts >> 192), 2);
        }
    }

    /// Holds `amount` of the caller's bond for the window.
    function lock(uint256 amount, uint256 window) private {
        uint256 length = (window + 15) / 16;
        if (length == 0) length = 1;
        uint256 place = slotOf(103, uint160(msg.sender));
        uint256 totals = get(place);
        uint256 rest = get(place + 1);
        uint256 locked = totals >> 128;
        uint256 frozen = uint128(rest);
        uint256 first = bits(rest, 128, 64);
        uint256 last = rest >> 192;
        uint256 ring = slotOf(104, uint160(msg.sender));
        unchecked {
            if (locked != frozen) {
                if (block.timestamp + 1 >= (last + 1) * length + window) {
                    locked = frozen;
                } else {
                    while (block.timestamp + 1 >= (first + 1) * length + window) {
                        uint256 old = get(ring + first % 32);
                        if (uint64(old) == first) locked -= old >> 64;
                        first++;
                    }
                }
            }
            uint256 free = uint128(totals) - locked;
            if (amount > free) revert IAttribution.BondTooSmall(free, amount);
            if (amount == 0) return;
            uint256 bucket = block.timestamp / length;
            if (locked == frozen) first = bucket;
            uint256 word = get(ring + bucket % 32);
            uint256 held = uint64(word) == bucket ? word >> 64 : 0;
            put(ring + bucket % 32, bucket | (held + amount) << 64);
            put(place, uint128(totals) | (locked + amount) << 128);
            uint256 now_ = frozen | first << 128 | bucket << 192;
            if (now_ != rest) put(place + 1, now_);
        }
    }

    function store(
        IAttribution.Receipt calldata receipt,
        IAttribution.Tail memory tail,
        Settling memory s,
        uint256 number
    ) private {
        IAttribution.ClusterShare[] calldata shares = receipt.shares;
        uint256 place = slotOf(105, uint256(receipt.requestId));
        put(place, s.model | uint256(uint160(msg.sender)) << 64 | uint256(receipt.tokensIn) << 224);
        uint256 word = block.timestamp | block.number << 40 | number << 80 | s.base << 120 | shares.length << 160;
        word |= uint256(receipt.unattributedPpm) << 176 | uint256(tail.ppm) << 200;
        put(place + 1, word | s.contributionBits << 232 | s.rowBits << 240 | s.ppmBits << 248);
        put(place + 2, uint256(receipt.answerHash));
        put(place + 3, uint256(receipt.scoreRoot));
        put(place + 4, s.fee | s.contributors << 112 | uint256(receipt.tokensOut) << 224);
        storeShares(shares, receipt.requestId, s);
        s.tailWei = s.contributors * (s.inlinePpm + tail.ppm) / PPM - s.contributors * s.inlinePpm / PPM;
        if (tail.leaves != 0) {
            place = slotOf(109, uint256(receipt.requestId));
            put(place, uint256(tail.root));
            put(place + 1, s.tailWei);
            put(place + 2, tail.leaves);
        }
        put(slotOf(slotOf(108, s.model), uint64(s.counts)), uint256(receipt.requestId));
        put(s.modelPlace + 1, s.counts + 1);
    }

    function storeShares(IAttribution.ClusterShare[] calldata shares, bytes32 requestId, Settling memory s) private {
        uint256 count = shares.length;
        if (count == 0) return;
        uint256 rowAt = s.contributionBits;
        uint256 ppmAt = rowAt + s.rowBits;
        uint256 width = ppmAt + s.ppmBits;
        uint256 place = slotOf(SHARES_BASE, uint256(requestId));
        uint256 base = s.base;
        uint256 word;
        uint256 shift;
        unchecked {
            for (uint256 i = 0; i < count; i++) {
                IAttribution.ClusterShare calldata share = shares[i];
                word |= (share.contribution - base | uint256(share.row) << rowAt | uint256(share.ppm) << ppmAt) << shift;
                shift += width;
                if (shift + width > 256) {
                    put(place++, word);
                    word = 0;
                    shift = 0;
                }
            }
        }
        if (word != 0) put(place, word);
    }

    function pay(IAttribution.Receipt calldata receipt, Settling memory s) private {
        put(slotOf(202, uint256(receipt.requestId)), s.request + (1 << 224));
        address platform = address(uint160(get(200)));
        credit(platform, s.ofPlatform);
        credit(address(uint160(s.head)), s.ofModel);
        credit(msg.sender, s.ofStakers);
        accrue(receipt.shares, s);
        payUnattributed(receipt.requestId, s);
        address payer = address(uint160(s.request));
        emit IPayouts.Settled(
            receipt.requestId,
            uint64(s.model),
            payer,
            s.fee,
            s.maxFee - s.fee,
            s.ofPlatform,
            s.ofModel,
            s.ofStakers,
            s.contributors
        );
        payOut(payer, s.maxFee - s.fee);
    }

    function credit(address account, uint256 amount) private {
        if (amount == 0) return;
        uint256 place = slotOf(203, uint160(account));
        put(place, get(place) + amount);
    }

    function checkEarner(uint256 earner, IAttribution.ClusterShare calldata share, Settling memory s) private pure {
        uint256 rows = bits(earner, 208, 24);
        if (rows == 0) revert IAttribution.UnknownContribution(share.contribution);
        uint256 since = bits(earner, 176, 32);
        uint256 datanet = bits(earner, 96, 40);
        bool member;
        uint256 count = s.datasets;
        unchecked {
            for (uint256 i = 0; i < count && !member; i++) {
                uint256 dataset = s.dataset[i];
                member = uint64(dataset) == datanet && since != 0 && since <= uint32(dataset >> 64);
            }
        }
        if (!member) revert IAttribution.NotInModel(share.contribution, uint64(s.model));
        if (share.row >= rows) revert IAttribution.RowOutOfRange(share.contribution, share.row);
        uint256 flags = earner >> 232;
        if (flags & 1 != 0) revert IAttribution.Erased(share.contribution);
        if (flags & 2 != 0) revert IAttribution.NotCanonical(share.contribution, share.row);
    }

    function accrue(IAttribution.ClusterShare[] calldata shares, Settling memory s) private {
        uint256 count = shares.length;
        uint256 contributors = s.contributors;
        uint256 ppm;
        uint256 given;
        uint256 due;
        uint256 earner;
        uint256 place;
        uint256 current;
        unchecked {
            for (uint256 i = 0; i < count; i++) {
                IAttribution.ClusterShare calldata share = shares[i];
                if (i == 0 || share.contribution != current) {
                    if (i != 0) putEarner(place, earner, due, current);
                    current = share.contribution;
                    place = EARNERS + current;
                    earner = get(place);
                    due = 0;
                }
                checkEarner(earner, share, s);
                ppm += share.ppm;
                uint256 upto = contributors * ppm / PPM;
                due += upto - given;
                given = upto;
            }
            if (count != 0) putEarner(place, earner, due, current);
            s.attributed = given + s.tailWei;
        }
    }

    function putEarner(uint256 place, uint256 earner, uint256 due, uint256 contribution) private {
        unchecked {
            uint256 sum = uint96(earner) + due;
            earner = earner >> 96 << 96;
            if (sum >> 96 == 0) {
                put(place, (earner | sum) + (1 << 136));
            } else {
                put(place, earner + (1 << 136));
                payOwners(uint64(contribution), sum);
            }
        }
    }

    function payUnattributed(bytes32 requestId, Settling memory s) private {
        uint256 amount = s.contributors - s.attributed;
        if (amount == 0) return;
        uint256 all;
        uint256[16] memory rows;
        for (uint256 i = 0; i < s.datasets; i++) {
            uint256 dataset = s.dataset[i];
            rows[i] = bits(get(slotOf(slotOf(6, uint64(dataset)), uint32(dataset >> 64)) + 2), 64, 64);
            all += rows[i];
        }
        uint256 upto;
        uint256 given;
        for (uint256 i = 0; i < s.datasets; i++) {
            upto += rows[i];
            uint256 part = amount * upto / all - given;
            if (part == 0) continue;
            given += part;
            credit(s.owners[i], part);
            emit IPayouts.UnattributedCredited(requestId, uint64(s.dataset[i]), s.owners[i], part);
        }
    }

    function draw(uint64[] calldata contributions) external returns (uint256 sum) {
        if (contributions.length > 64) revert IPayouts.TooManyContributions(64, contributions.length);
        for (uint256 i = 0; i < contributions.length; i++) {
            uint64 contribution = contributions[i];
            uint256 place = EARNERS + contribution;
            uint256 earner = get(place);
            if (bits(earner, 208, 24) == 0) revert IPayouts.UnknownContribution(contribution);
            uint256 amount = uint96(earner);
            if (amount == 0) continue;
            put(place, earner >> 96 << 96);
            payOwners(contribution, amount);
            sum += amount;
        }
    }

    function payOwners(uint64 contribution, uint256 amount) private {
        uint256 sets = uint32(get(slotOf(4, contribution) + 1) >> 192);
        uint256 place = slotOf(slotOf(10, contribution), sets - 1);
        uint256 head = get(place);
        uint256 others = bits(head, 176, 8);
        uint256 cumulative = bits(head, 160, 16);
        uint256 paid;
        for (uint256 i = 0; i <= others; i++) {
            if (i != 0) {
                head = get(place + i);
                cumulative += head >> 160;
            }
            uint256 upto = amount * cumulative / BPS;
            if (upto == paid) continue;
            credit(address(uint160(head)), upto - paid);
            emit IPayouts.Drawn(contribution, address(uint160(head)), upto - paid);
            paid = upto;
        }
    }

    function claim() external returns (uint256 amount) {
        uint256 place = slotOf(203, uint160(msg.sender));
        amount = get(place);
        if (amount == 0) revert IPayouts.NothingToClaim(msg.sender);
        put(place, 0);
        emit IPayouts.Claimed(msg.sender, msg.sender, amount, msg.sender);
        payOut(msg.sender, amount);
    }

    function lineageOf(bytes32 requestId, uint256 offset, uint256 limit)
        external
        view
        returns (IAttribution.Lineage memory shown)
    {
        uint256 place = slotOf(105, uint256(requestId));
        uint256 model = uint64(get(place));
        uint256 head = get(place + 1);
        if (uint40(head) == 0) revert IAttribution.UnknownReceipt(requestId);
        shown.answerHash = bytes32(get(place + 2));
        shown.model = uint64(model);
        place = slotOf(101, model);
        shown.adapterHash = bytes32(get(place + 3));
        uint256 count = bits(get(place + 1), 112, 8);
        shown.datasets = new IAttribution.DatasetRef[](count);
        shown.datasetRoots = new bytes32[](count);
        place = slotOf(107, model);
        uint256 word;
        for (uint256 i = 0; i < count; i++) {
            word = i & 1 == 0 ? get(place + i / 2) : word >> 128;
            shown.datasets[i] = IAttribution.DatasetRef(uint64(word), uint32(word >> 64));
            shown.datasetRoots[i] = bytes32(get(slotOf(slotOf(6, uint64(word)), uint32(word >> 64))));
        }
        uint256 total = bits(head, 160, 16);
        shown.total = total;
        if (offset > total) offset = total;
        if (limit > 256) limit = 256;
        if (limit > total - offset) limit = total - offset;
        shown.entries = new IAttribution.LineageEntry[](limit);
        showShares(shown.entries, slotOf(SHARES_BASE, uint256(requestId)), head, offset);
    }

    function showShares(IAttribution.LineageEntry[] memory entries, uint256 place, uint256 head, uint256 offset)
        private
        view
    {
        uint256 rowAt = bits(head, 232, 8);
        uint256 ppmAt = rowAt + bits(head, 240, 8);
        uint256 width = ppmAt + (head >> 248);
        uint256 base = bits(head, 120, 40);
        unchecked {
            if (width == 0) return;
            uint256 perWord = 256 / width;
            place += offset / perWord;
            uint256 i = offset % perWord;
            uint256 word = entries.length == 0 ? 0 : get(place);
            for (uint256 k = 0; k < entries.length; k++) {
                if (i == perWord) {
                    word = get(++place);
                    i = 0;
                }
                uint256 packed = bits(word, i++ * width, width);
                uint64 contribution = uint64(base + bits(packed, 0, rowAt));
                IAttribution.LineageEntry memory entry = entries[k];
                entry.contribution = contribution;
                entry.row = uint32(bits(packed, rowAt, ppmAt - rowAt));
                entry.ppm = uint32(packed >> ppmAt);
                if (k != 0 && entries[k - 1].contribution == contribution) {
                    entry.datanet = entries[k - 1].datanet;
                    entry.owner = entries[k - 1].owner;
                    entry.contributionRoot = entries[k - 1].contributionRoot;
                } else {
                    uint256 place_ = slotOf(4, contribution);
                    uint256 title = get(place_);
                    entry.datanet = uint64(title >> 160);
                    entry.owner = address(uint160(title));
                    entry.contributionRoot = bytes32(get(place_ + 2));
                }
            }
        }
    }
}
