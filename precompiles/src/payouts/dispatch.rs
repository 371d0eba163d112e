//! The functions of `IPayouts`.

use super::{channels, claims, credits, draws, requests, signatures, streams, tail};
use crate::attribution::{find_model, price_of, split_of};
use crate::frame::{Failure, Table};
use openledger_abi::IPayouts::*;
use openledger_shares::{fee_wei, split_fee};

/// The functions of the precompile.
pub(crate) static FUNCTIONS: Table = functions! {
    View deadlineBoundsCall since Meridian gives |frame, _| {
        let settings = requests::settings(frame)?;
        Ok(deadlineBoundsReturn {
            minimum: settings.minimum_deadline,
            maximum: settings.maximum_deadline,
        })
    };
    View platformCall since Meridian gives |frame, _| requests::platform(frame);
    View requestOfCall since Meridian gives |frame, call| requests::request_of(frame, call.requestId);
    View quoteCall since Meridian gives |frame, call| {
        let model = find_model(frame, call.model)?;
        let price = price_of(frame, &model)?;
        let fee = fee_wei(&price, call.tokensIn, call.tokensOut);
        let Some(parts) = split_fee(&price, &split_of(&model), fee) else {
            return Err(Failure::because("a model with a wrong split"));
        };
        let quote = Quote {
            fee,
            platform: parts.platform_wei,
            model: parts.model_wei,
            stakers: parts.stakers_wei,
            contributors: parts.contributors_wei,
        };
        Ok(quote)
    };
    View creditOfCall since Meridian gives |frame, call| {
        let (_, credit) = credits::credit_of(frame, call.account)?;
        Ok(credit)
    };
    Payable requestCall since Meridian gives |frame, call| requests::request(frame, &call);
    Write refundCall since Meridian does |frame, call| requests::refund(frame, call.requestId);
    Write claimCall since Meridian gives |frame, _| {
        let account = frame.caller();
        claims::claim(frame, account, account)
    };
    Write claimForCall since Meridian gives |frame, call| claims::claim(frame, call.account, call.account);
    Write claimToCall since Meridian gives |frame, call| claims::claim_to(frame, call.account, call.to);
    View accruedOfCall since Meridian gives |frame, call| draws::accrued_of(frame, call.contribution);
    Write drawCall since Meridian gives |frame, call| draws::draw(frame, &call.contributions);
    Write drawAndClaimCall since Meridian gives |frame, call| {
        draws::draw(frame, &call.contributions)?;
        let account = frame.caller();
        claims::claim(frame, account, account)
    };
    Write claimTailCall since Meridian gives tail::claim;
    View isTailClaimedCall since Meridian gives |frame, call| {
        tail::is_claimed(frame, call.requestId, call.index)
    };
    Write claimBySignatureCall since Meridian gives claims::claim_by_signature;
    View noncesCall since Meridian gives |frame, call| Ok(claims::nonce_of(frame, call.account)?.1);
    View DOMAIN_SEPARATORCall since Meridian gives |frame, _| signatures::domain(frame);
    Payable openChannelCall since Meridian gives channels::open_channel;
    Payable fundChannelCall since Meridian does |frame, call| {
        channels::fund(frame, call.channel, call.expiry)
    };
    Write redeemVoucherCall since Meridian gives channels::redeem;
    Write closeChannelCall since Meridian gives |frame, call| channels::close(frame, call.channel);
    View channelOfCall since Meridian gives |frame, call| channels::channel_of(frame, call.channel);
    Payable openStreamCall since Meridian gives streams::open_stream;
    Payable fundStreamCall since Meridian does |frame, call| streams::fund(frame, call.stream);
    Write drawStreamCall since Meridian gives |frame, call| streams::draw(frame, call.stream);
    Write closeStreamCall since Meridian gives |frame, call| streams::close(frame, call.stream);
    View streamOfCall since Meridian gives |frame, call| streams::stream_of(frame, call.stream);
};
