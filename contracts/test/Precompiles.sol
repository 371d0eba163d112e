// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {CLAIM_ROUTER, CONTRIBUTION_TOKEN, DATANETS, DATANET_TOKEN, OpenLedger} from "../src/OpenLedger.sol";
import {ClaimRouter} from "../src/facades/ClaimRouter.sol";
import {ContributionToken} from "../src/facades/ContributionToken.sol";
import {DatanetToken} from "../src/facades/DatanetToken.sol";
import {OpenLedgerTest} from "../src/testing/OpenLedgerTest.sol";
import {VM} from "./Vm.sol";

/// @dev The façades over the mocks, with a test contract that contributes and is paid.
abstract contract Precompiles is OpenLedgerTest {
    DatanetToken internal constant datanetToken = DatanetToken(DATANET_TOKEN);
    ContributionToken internal constant contributionToken = ContributionToken(CONTRIBUTION_TOKEN);
    ClaimRouter internal constant router = ClaimRouter(CLAIM_ROUTER);

    constructor() {
        setUpOpenLedger();
    }

    /// @dev A contribution by the test contract to that Datanet.
    function contribute(uint64 datanet, bytes32 root, uint16 licence, uint64 expiry) internal returns (uint64) {
        bytes32 salt = keccak256(abi.encode(root));
        bytes32 commitment = OpenLedger.commitmentOf(datanet, address(this), root, salt);
        DATANETS.commit{value: DATANETS.commitDeposit()}(commitment);
        VM.roll(block.number + 1);
        return DATANETS.reveal(datanet, root, salt, 12, licence, expiry);
    }

    receive() external payable {}
}
