// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/interfaces/IERC721Receiver.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {CONTRIBUTION_TOKEN, DATANETS, PAYOUTS} from "../OpenLedger.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";

/// @title DataCooperative
/// @notice An example: members bring contributions into one pool, and all that the pool earns is shared by what each
/// brought. Shares are an ERC-20 token: four decimals, one whole share for each row that is the cooperative's alone.
///
/// - *Join*: offer a contribution (its ERC-721 token); the steward admits it; its member gets shares.
/// - *Earn*: income is divided by the shares that were held while the data earned it. Whoever is admitted or buys shares
///   later has no part in what was earned before; whoever sells keeps what was earned until then.
/// - *Leave*: give back the shares that a contribution brought, take the contribution out. An offer can be taken back.
///
/// The steward, who owns this contract, decides which contributions are admitted and curates the cooperative's Datanet.
/// It sets nobody's shares, moves nobody's contribution or money, and grants no licence: a contribution stays under the
/// terms that it came with.
/// @dev Income is collected before any share moves, so nothing is divided by shares that were not there when it was
/// earned. One draw reaches all contributions, which bounds them to 64 and makes a transfer of shares cost up to that
/// many reads. The precompiles pay without running code, so income is what the balance holds beyond what is owed:
/// whoever has the cooperative paid, by whatever way, has its members paid.
contract DataCooperative is ERC20, Ownable2Step, IERC721Receiver {
    struct Place {
        /// Who brought the contribution, and may take it out.
        address member;
        /// Place in the list of admitted ones, from 1; 0 while it is only offered.
        uint32 position;
        /// Shares that it brought.
        uint64 shares;
    }

    /// @notice What one draw can reach.
    uint256 public constant MAX_CONTRIBUTIONS = 64;
    /// @dev Income is counted in parts of 2^-128 wei, and a share's part rounded up to a whole one: what that gives too much
    /// never adds up to a wei, and the part of a wei that a claim leaves behind counts in the next.
    uint256 private constant SCALE_BITS = 128;

    /// @notice The cooperative's own Datanet. What answers owe to its owner is income too.
    uint64 public immutable datanet;
    /// @notice Offered and admitted contributions.
    mapping(uint64 contribution => Place) public placeOf;
    /// @notice Wei that members are owed, in all.
    uint256 public owed;

    uint64[] private _admitted;
    /// @dev What one unit of shares has earned since the beginning, scaled.
    uint256 private _perShare;
    /// @dev By account: `_perShare` when it was last looked at, and what it was owed then, scaled.
    mapping(address account => uint256) private _seenPerShare;
    mapping(address account => uint256) private _owedTo;

    event Offered(uint64 indexed contribution, address indexed member);
    event Admitted(uint64 indexed contribution, address indexed member, uint256 shares);
    event Left(uint64 indexed contribution, address indexed member, uint256 shares);
    event Collected(uint256 amount, uint256 shares);
    event Claimed(address indexed member, address indexed to, uint256 amount);

    error NotOffered(uint64 contribution);
    error NotYours(uint64 contribution, address account);
    error AlreadyAdmitted(uint64 contribution);
    error NotAdmitted(uint64 contribution);
    error Full(uint256 maximum);
    error NotEarning(uint64 contribution, IDatanets.ContributionStatus status);
    error NoPart(uint64 contribution);
    error NotAContribution(address token);
    error NothingOwed(address account);

    /// @param steward admits contributions and curates. @param domain what the pool is about.
    constructor(address steward, bytes32 schemaHash, string memory domain, string memory metadataURI)
        ERC20("Data cooperative share", "COOP")
        Ownable(steward)
    {
        datanet = DATANETS.createDatanet(schemaHash, domain, metadataURI);
        DATANETS.setCurator(datanet, steward, true);
    }

    /// @dev Nothing is counted here: the precompiles pay without calling this.
    receive() external payable {}

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 4;
    }

    // ── Joining ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Offers a contribution whose token the caller owns and has approved. Sending the token by
    /// `safeTransferFrom` does the same. What it has earned so far is credited to its present owners.
    function offer(uint64 contribution) external {
        IERC721(CONTRIBUTION_TOKEN).transferFrom(msg.sender, address(this), contribution);
        _offered(contribution, msg.sender);
    }

    /// @notice Offers the contribution that `from` sends.
    function onERC721Received(address, address from, uint256 tokenId, bytes calldata) external returns (bytes4) {
        require(msg.sender == CONTRIBUTION_TOKEN, NotAContribution(msg.sender));
        // forge-lint: disable-next-line(unsafe-typecast)
        _offered(uint64(tokenId), from);
        return IERC721Receiver.onERC721Received.selector;
    }

    /// @notice Takes back what was offered and not admitted.
    function takeBack(uint64 contribution) external {
        Place memory place = placeOf[contribution];
        require(place.member == msg.sender, NotYours(contribution, msg.sender));
        require(place.position == 0, AlreadyAdmitted(contribution));
        delete placeOf[contribution];
        emit Left(contribution, msg.sender, 0);
        IERC721(CONTRIBUTION_TOKEN).transferFrom(address(this), msg.sender, contribution);
    }

    /// @notice Steward: takes an offer into the pool. Its member gets shares for the rows, by the part of what they earn
    /// that came with the title: co-owners keep theirs outside.
    function admit(uint64 contribution) external onlyOwner returns (uint256 shares) {
        Place storage place = placeOf[contribution];
        require(place.member != address(0), NotOffered(contribution));
        require(place.position == 0, AlreadyAdmitted(contribution));
        require(_admitted.length < MAX_CONTRIBUTIONS, Full(MAX_CONTRIBUTIONS));
        IDatanets.Contribution memory found = DATANETS.contributionOf(contribution);
        bool earns = found.status == IDatanets.ContributionStatus.Pending
            || found.status == IDatanets.ContributionStatus.Approved;
        require(earns, NotEarning(contribution, found.status));
        // The title holder stands first.
        shares = uint256(found.rows) * DATANETS.ownersOf(contribution)[0].bps;
        require(shares != 0, NoPart(contribution));

        // Before the list grows: what it earned meanwhile is income of those who are in.
        _mint(place.member, shares);
        _admitted.push(contribution);
        // forge-lint: disable-next-line(unsafe-typecast)
        (place.position, place.shares) = (uint32(_admitted.length), uint64(shares));
        emit Admitted(contribution, place.member, shares);
    }

    /// @notice Takes out a contribution that the caller brought, for the shares that it brought.
    function takeOut(uint64 contribution) external {
        Place memory place = placeOf[contribution];
        require(place.member == msg.sender, NotYours(contribution, msg.sender));
        require(place.position != 0, NotAdmitted(contribution));
        // Collects first, while the contribution is still in.
        _burn(msg.sender, place.shares);

        uint64 last = _admitted[_admitted.length - 1];
        _admitted[place.position - 1] = last;
        placeOf[last].position = place.position;
        _admitted.pop();
        delete placeOf[contribution];
        emit Left(contribution, msg.sender, place.shares);
        IERC721(CONTRIBUTION_TOKEN).transferFrom(address(this), msg.sender, contribution);
    }

    /// @notice The contributions in the pool, in no order.
    function admitted() external view returns (uint64[] memory) {
        return _admitted;
    }

    // ── Income ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Anyone: divides all that the pool has earned among those who hold shares.
    function collect() external returns (uint256 amount) {
        return _collect();
    }

    /// @notice Pays the caller all that it is owed.
    function claim(address payable to) external returns (uint256 amount) {
        _collect();
        _lookAt(msg.sender);
        amount = _owedTo[msg.sender] >> SCALE_BITS;
        require(amount != 0, NothingOwed(msg.sender));
        // The part of a wei that is left stays owed.
        _owedTo[msg.sender] -= amount << SCALE_BITS;
        owed -= amount;
        emit Claimed(msg.sender, to, amount);
        Address.sendValue(to, amount);
    }

    /// @notice Wei that an account could claim of what is collected; the next collection may add to it.
    function owedTo(address account) external view returns (uint256) {
        return (_owedTo[account] + balanceOf(account) * (_perShare - _seenPerShare[account])) >> SCALE_BITS;
    }

    function _collect() private returns (uint256 amount) {
        uint64[] memory all = _admitted;
        if (all.length != 0) PAYOUTS.draw(all);
        if (PAYOUTS.creditOf(address(this)) != 0) PAYOUTS.claim();
        uint256 shares = totalSupply();
        amount = address(this).balance - owed;
        // What comes while nobody has a share waits for the first who has.
        if (amount == 0 || shares == 0) return 0;
        _perShare += Math.ceilDiv(amount << SCALE_BITS, shares);
        owed += amount;
        emit Collected(amount, shares);
    }

    /// @dev Before an account's shares change.
    function _lookAt(address account) private {
        _owedTo[account] += balanceOf(account) * (_perShare - _seenPerShare[account]);
        _seenPerShare[account] = _perShare;
    }

    /// @dev Every movement of shares, of minting and burning too.
    function _update(address from, address to, uint256 value) internal override {
        _collect();
        if (from != address(0)) _lookAt(from);
        if (to != address(0)) _lookAt(to);
        super._update(from, to, value);
    }

    function _offered(uint64 contribution, address member) private {
        placeOf[contribution].member = member;
        emit Offered(contribution, member);
    }

    /// @dev The new steward curates, the old one no longer does.
    function _transferOwnership(address steward) internal override {
        address before = owner();
        super._transferOwnership(steward);
        if (before == address(0)) return;
        DATANETS.setCurator(datanet, before, false);
        if (steward != address(0)) DATANETS.setCurator(datanet, steward, true);
    }
}
