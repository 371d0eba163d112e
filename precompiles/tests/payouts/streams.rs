//! Streams: what has flowed is the receiver's, the rest the payer's; no second counts twice.

use super::*;

/// Ten wei a second from now on.
fn opened(value: u128) -> (World, B256) {
    let mut w = World::new();
    let call = openStreamCall { to: BOB, weiPerSecond: 10, start: 0, salt: B256::ZERO };
    let stream = w.call(PAYER, value, call).unwrap();
    (w, stream)
}

#[test]
fn stream_is_opened_once_to_someone_at_a_rate_with_value() {
    let mut w = World::new();
    let call = openStreamCall { to: BOB, weiPerSecond: 10, start: 0, salt: B256::ZERO };
    reverts(w.call(PAYER, 5, openStreamCall { to: Address::ZERO, ..call }), ZeroAddress {});
    reverts(w.call(PAYER, 5, openStreamCall { weiPerSecond: 0, ..call }), ZeroRate {});
    reverts(w.call(PAYER, 0, call.clone()), NoValue {});
    let stream = w.call(PAYER, 5, call.clone()).unwrap();
    reverts(w.call(PAYER, 5, call.clone()), StreamExists { stream });
    let shown = view(&mut w, streamOfCall { stream });
    assert_eq!((shown.payer, shown.to, shown.start), (PAYER, BOB, w.state.time));
    assert_eq!((shown.weiPerSecond, shown.deposit, shown.drawn), (10, wei(5), wei(0)));
    let later = openStreamCall { start: w.state.time + 50, salt: B256::repeat_byte(1), ..call };
    let stream = w.call(PAYER, 5, later.clone()).unwrap();
    assert_eq!(view(&mut w, streamOfCall { stream }).start, later.start);
    reverts(w.call(BOB, 0, streamOfCall { stream: B256::ZERO }), UnknownStream { stream: B256::ZERO });
}

#[test]
fn wei_flow_by_the_second_up_to_the_deposit() {
    let (mut w, stream) = opened(1_005);
    reverts(w.call(BOB, 0, drawStreamCall { stream }), NothingToClaim { account: BOB });
    w.state.time += 30;
    assert_eq!(w.call(PAYER, 0, drawStreamCall { stream }).unwrap(), wei(300));
    reverts(w.call(BOB, 0, drawStreamCall { stream }), NothingToClaim { account: BOB });
    w.state.time += 1_000_000;
    assert_eq!(w.call(PAYER, 0, drawStreamCall { stream }).unwrap(), wei(705));
    assert_eq!(w.credit(BOB), wei(1_005));
}

#[test]
fn stream_that_ran_dry_flows_on_from_when_it_is_funded() {
    let (mut w, stream) = opened(1_000);
    reverts(w.call(BOB, 0, fundStreamCall { stream }), NoValue {});
    let unknown = fundStreamCall { stream: B256::ZERO };
    reverts(w.call(BOB, 1, unknown), UnknownStream { stream: B256::ZERO });
    w.state.time += 40;
    w.call(BOB, 500, fundStreamCall { stream }).unwrap();
    w.state.time += 1_000;
    // 1,500 have flowed; the 890 seconds without wei do not count.
    w.call(BOB, 100, fundStreamCall { stream }).unwrap();
    assert_eq!(w.call(BOB, 0, drawStreamCall { stream }).unwrap(), wei(1_500));
    reverts(w.call(BOB, 0, drawStreamCall { stream }), NothingToClaim { account: BOB });
    w.state.time += 4;
    assert_eq!(w.call(BOB, 0, drawStreamCall { stream }).unwrap(), wei(40));
}

#[test]
fn payer_closes_and_gets_what_has_not_flowed() {
    let (mut w, stream) = opened(1_000);
    w.state.time += 33;
    reverts(w.call(BOB, 0, closeStreamCall { stream }), NotPayer { id: stream, account: BOB });
    let before = w.balance(PAYER);
    assert_eq!(w.call(PAYER, 0, closeStreamCall { stream }).unwrap(), wei(670));
    assert_eq!(w.balance(PAYER), before + wei(670));
    assert_eq!((w.credit(BOB), w.balance(PAYOUTS)), (wei(330), wei(330)));
    reverts(w.call(PAYER, 0, closeStreamCall { stream }), UnknownStream { stream });
    reverts(w.call(PAYER, 0, drawStreamCall { stream }), UnknownStream { stream });
    reverts(w.call(PAYER, 1, fundStreamCall { stream }), UnknownStream { stream });
    assert_eq!(view(&mut w, streamOfCall { stream }).drawn, wei(330));
}
