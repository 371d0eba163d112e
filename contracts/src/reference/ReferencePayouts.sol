// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {PayoutsChannels} from "./PayoutsChannels.sol";
import {PayoutsRequests} from "./PayoutsRequests.sol";

/// @title Payouts in plain Solidity: docs/precompiles/payouts.md.
contract ReferencePayouts is PayoutsRequests, PayoutsChannels {}
