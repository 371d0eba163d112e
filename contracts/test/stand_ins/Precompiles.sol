// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {
    ATTRIBUTION,
    CLAIM_ROUTER,
    CONTRIBUTION_TOKEN,
    DATANETS,
    DATANET_TOKEN,
    PAYOUTS
} from "../../src/OpenLedger.sol";
import {ClaimRouter} from "../../src/facades/ClaimRouter.sol";
import {ContributionToken} from "../../src/facades/ContributionToken.sol";
import {DatanetToken} from "../../src/facades/DatanetToken.sol";
import {VM} from "../Vm.sol";
import {AttributionStandIn} from "./AttributionStandIn.sol";
import {DatanetsStandIn} from "./DatanetsStandIn.sol";
import {PayoutsStandIn} from "./PayoutsStandIn.sol";

/// @dev Puts the stand-ins at the precompiles' addresses, and the façades, as genesis does, at theirs.
abstract contract Precompiles {
    DatanetToken internal constant datanetToken = DatanetToken(DATANET_TOKEN);
    ContributionToken internal constant contributionToken = ContributionToken(CONTRIBUTION_TOKEN);
    ClaimRouter internal constant router = ClaimRouter(CLAIM_ROUTER);

    constructor() {
        VM.etch(address(DATANETS), address(new DatanetsStandIn()).code);
        VM.etch(address(ATTRIBUTION), address(new AttributionStandIn()).code);
        VM.etch(address(PAYOUTS), address(new PayoutsStandIn()).code);
        VM.etch(DATANET_TOKEN, address(new DatanetToken()).code);
        VM.etch(CONTRIBUTION_TOKEN, address(new ContributionToken()).code);
        VM.etch(CLAIM_ROUTER, address(new ClaimRouter()).code);
    }

    /// @dev A contribution by the test contract to that Datanet.
    function contribute(uint64 datanet, bytes32 root, uint16 licence, uint64 expiry) internal returns (uint64) {
        bytes32 salt = keccak256(abi.encode(root));
        bytes32 commitment = keccak256(abi.encode(block.chainid, datanet, address(this), root, salt));
        DATANETS.commit{value: DATANETS.commitDeposit()}(commitment);
        VM.roll(block.number + 1);
        return DATANETS.reveal(datanet, root, salt, 12, licence, expiry);
    }

    receive() external payable {}
}
