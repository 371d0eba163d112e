//! Vouchers: the provider gets what was signed, the payer the rest.

use super::*;

const EXPIRY: u64 = 20_000;

fn opened(value: u128) -> (World, B256) {
    let mut w = World::new();
    let call = openChannelCall { provider: PROVIDER, signer: signer(), expiry: EXPIRY, salt: B256::ZERO };
    let channel = w.call(PAYER, value, call).unwrap();
    (w, channel)
}

fn voucher(channel: B256, cumulative: u64) -> redeemVoucherCall {
    let cumulative = wei(cumulative);
    redeemVoucherCall { channel, cumulative, signature: sign(&Voucher { channel, cumulative }) }
}

#[test]
fn channel_is_opened_once_with_value_and_time() {
    let mut w = World::new();
    let call =
        openChannelCall { provider: PROVIDER, signer: Address::ZERO, expiry: EXPIRY, salt: B256::ZERO };
    reverts(w.call(PAYER, 5, openChannelCall { provider: Address::ZERO, ..call }), ZeroAddress {});
    reverts(w.call(PAYER, 0, call.clone()), NoValue {});
    let soon = openChannelCall { expiry: w.state.time + 3_599, ..call };
    let earliest = w.state.time + 3_600;
    reverts(w.call(PAYER, 5, soon.clone()), ExpiryTooSoon { earliest, given: soon.expiry });
    let channel = w.call(PAYER, 5, call.clone()).unwrap();
    let shown = view(&mut w, channelOfCall { channel });
    assert_eq!((shown.payer, shown.provider, shown.signer), (PAYER, PROVIDER, PAYER));
    assert_eq!((shown.expiry, shown.deposit, shown.redeemed), (EXPIRY, wei(5), wei(0)));
    reverts(w.call(PAYER, 5, call.clone()), ChannelExists { channel });
    w.call(PROVIDER, 0, closeChannelCall { channel }).unwrap();
    reverts(w.call(PAYER, 5, call.clone()), ChannelExists { channel });
    let other = w.call(PAYER, 5, openChannelCall { salt: B256::repeat_byte(1), ..call }).unwrap();
    assert_ne!(other, channel);
    reverts(w.call(BOB, 0, channelOfCall { channel: B256::ZERO }), UnknownChannel { channel: B256::ZERO });
}

#[test]
fn provider_redeems_what_is_new_of_the_last_voucher() {
    let (mut w, channel) = opened(1_000);
    let unknown = voucher(B256::repeat_byte(9), 1);
    reverts(w.call(PROVIDER, 0, unknown.clone()), UnknownChannel { channel: unknown.channel });
    reverts(w.call(BOB, 0, voucher(channel, 300)), NotProvider { channel, account: BOB });
    let above = AboveDeposit { deposit: wei(1_000), cumulative: wei(1_001) };
    reverts(w.call(PROVIDER, 0, voucher(channel, 1_001)), above);
    reverts(w.call(PROVIDER, 0, voucher(channel, 0)), NothingNew { redeemed: wei(0), cumulative: wei(0) });
    let forged = redeemVoucherCall { cumulative: wei(301), ..voucher(channel, 300) };
    reverts(w.call(PROVIDER, 0, forged), InvalidSignature { account: signer() });
    let cut = redeemVoucherCall { signature: Bytes::from(vec![1; 64]), ..voucher(channel, 300) };
    reverts(w.call(PROVIDER, 0, cut), InvalidSignature { account: signer() });
    assert_eq!(w.call(PROVIDER, 0, voucher(channel, 300)).unwrap(), wei(300));
    assert_eq!(w.call(PROVIDER, 0, voucher(channel, 1_000)).unwrap(), wei(700));
    let old = NothingNew { redeemed: wei(1_000), cumulative: wei(300) };
    reverts(w.call(PROVIDER, 0, voucher(channel, 300)), old);
    assert_eq!(w.credit(PROVIDER), wei(1_000));
}

#[test]
fn payer_adds_wei_and_time_and_takes_neither_back() {
    let (mut w, channel) = opened(1_000);
    let fund = |expiry| fundChannelCall { channel, expiry };
    reverts(w.call(BOB, 5, fund(EXPIRY)), NotPayer { id: channel, account: BOB });
    reverts(w.call(PAYER, 5, fund(EXPIRY - 1)), ExpiryTooSoon { earliest: EXPIRY, given: EXPIRY - 1 });
    w.call(PAYER, 5, fund(EXPIRY)).unwrap();
    w.call(PAYER, 0, fund(EXPIRY + 7)).unwrap();
    let shown = view(&mut w, channelOfCall { channel });
    assert_eq!((shown.deposit, shown.expiry), (wei(1_005), EXPIRY + 7));
    let missing = fundChannelCall { channel: B256::ZERO, expiry: EXPIRY };
    reverts(w.call(PAYER, 5, missing), UnknownChannel { channel: B256::ZERO });
}

#[test]
fn rest_goes_back_after_expiry_or_when_the_provider_closes() {
    let (mut w, channel) = opened(1_000);
    w.call(PROVIDER, 0, voucher(channel, 400)).unwrap();
    let mut early = w.clone();
    reverts(w.call(PAYER, 0, closeChannelCall { channel }), ChannelOpen { channel, expiry: EXPIRY });
    let before = early.balance(PAYER);
    assert_eq!(early.call(PROVIDER, 0, closeChannelCall { channel }).unwrap(), wei(600));
    assert_eq!(early.balance(PAYER), before + wei(600));
    w.state.time = EXPIRY;
    reverts(w.call(BOB, 0, closeChannelCall { channel }), ChannelOpen { channel, expiry: EXPIRY });
    w.state.time += 1;
    // A voucher is good until the channel is closed.
    w.call(PROVIDER, 0, voucher(channel, 500)).unwrap();
    assert_eq!(w.call(BOB, 0, closeChannelCall { channel }).unwrap(), wei(500));
    assert_eq!(w.balance(PAYOUTS), wei(500));
    reverts(w.call(PROVIDER, 0, voucher(channel, 600)), UnknownChannel { channel });
    reverts(w.call(BOB, 0, closeChannelCall { channel }), UnknownChannel { channel });
    reverts(w.call(PAYER, 1, fundChannelCall { channel, expiry: EXPIRY }), UnknownChannel { channel });
    let shown = view(&mut w, channelOfCall { channel });
    assert_eq!((shown.deposit, shown.redeemed), (wei(1_000), wei(500)));
}
