//! Whatever is called in whatever order, the account holds exactly what it owes.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    OpenChannel { value: u64, salt: u8 },
    FundChannel { at: prop::sample::Index, value: u64 },
    Redeem { at: prop::sample::Index, cumulative: u64 },
    CloseChannel { at: prop::sample::Index, by_provider: bool },
    OpenStream { value: u64, rate: u16, salt: u8 },
    FundStream { at: prop::sample::Index, value: u64 },
    DrawStream { at: prop::sample::Index },
    CloseStream { at: prop::sample::Index },
    Claim { signed: bool },
    Wait { seconds: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<prop::sample::Index>;
    let wei = 0..2_000u64;
    prop_oneof![
        (wei.clone(), any::<u8>()).prop_map(|(value, salt)| Step::OpenChannel { value, salt }),
        (at(), wei.clone()).prop_map(|(at, value)| Step::FundChannel { at, value }),
        (at(), 0..3_000u64).prop_map(|(at, cumulative)| Step::Redeem { at, cumulative }),
        (at(), any::<bool>()).prop_map(|(at, by_provider)| Step::CloseChannel { at, by_provider }),
        (wei.clone(), 0..50u16, any::<u8>()).prop_map(|(value, rate, salt)| Step::OpenStream {
            value,
            rate,
            salt
        }),
        (at(), wei).prop_map(|(at, value)| Step::FundStream { at, value }),
        at().prop_map(|at| Step::DrawStream { at }),
        at().prop_map(|at| Step::CloseStream { at }),
        any::<bool>().prop_map(|signed| Step::Claim { signed }),
        (0..5_000u16).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

#[derive(Default)]
struct Known {
    channels: Vec<B256>,
    streams: Vec<B256>,
}

/// Refusals are as good as successes here: neither may break the sum.
fn take(w: &mut World, known: &mut Known, step: Step) {
    let pick = |of: &[B256], at: prop::sample::Index| if of.is_empty() { B256::ZERO } else { *at.get(of) };
    match step {
        Step::OpenChannel { value, salt } => {
            let (expiry, salt) = (w.state.time + 4_000, B256::repeat_byte(salt));
            let call = openChannelCall { provider: signer(), signer: signer(), expiry, salt };
            known.channels.extend(w.call(PAYER, value.into(), call));
        }
        Step::FundChannel { at, value } => {
            let call = fundChannelCall { channel: pick(&known.channels, at), expiry: w.state.time + 4_000 };
            let _ = w.call(PAYER, value.into(), call);
        }
        Step::Redeem { at, cumulative } => {
            let (channel, cumulative) = (pick(&known.channels, at), wei(cumulative));
            let signature = sign(&Voucher { channel, cumulative });
            let _ = w.call(signer(), 0, redeemVoucherCall { channel, cumulative, signature });
        }
        Step::CloseChannel { at, by_provider } => {
            let by = if by_provider { signer() } else { PAYER };
            let _ = w.call(by, 0, closeChannelCall { channel: pick(&known.channels, at) });
        }
        Step::OpenStream { value, rate, salt } => {
            let (start, salt) = (w.state.time + u64::from(salt), B256::repeat_byte(salt));
            let call = openStreamCall { to: signer(), weiPerSecond: rate.into(), start, salt };
            known.streams.extend(w.call(PAYER, value.into(), call));
        }
        Step::FundStream { at, value } => {
            let _ = w.call(PAYER, value.into(), fundStreamCall { stream: pick(&known.streams, at) });
        }
        Step::DrawStream { at } => {
            let _ = w.call(BOB, 0, drawStreamCall { stream: pick(&known.streams, at) });
        }
        Step::CloseStream { at } => {
            let _ = w.call(PAYER, 0, closeStreamCall { stream: pick(&known.streams, at) });
        }
        Step::Claim { signed } => {
            if !signed {
                let _ = w.call(BOB, 0, claimForCall { account: signer() });
                return;
            }
            let (account, deadline) = (signer(), w.state.time);
            let nonce = view(w, noncesCall { account });
            let message = Claim { account, to: PROVIDER, nonce, deadline: wei(deadline) };
            let call = claimBySignatureCall { account, to: PROVIDER, deadline, signature: sign(&message) };
            let _ = w.call(BOB, 0, call);
        }
        Step::Wait { seconds } => w.state.time += u64::from(seconds),
    }
}

/// What the account owes: deposits that were neither redeemed, drawn nor given back, and credits.
fn owes(w: &mut World, known: &Known) -> U256 {
    let mut sum = w.credit(signer());
    for channel in &known.channels {
        let closed = w.clone().call(signer(), 0, closeChannelCall { channel: *channel }).is_err();
        let shown = view(w, channelOfCall { channel: *channel });
        sum += if closed { U256::ZERO } else { shown.deposit - shown.redeemed };
    }
    for stream in &known.streams {
        let closed = w.clone().call(PAYER, 0, closeStreamCall { stream: *stream }).is_err();
        let shown = view(w, streamOfCall { stream: *stream });
        sum += if closed { U256::ZERO } else { shown.deposit - shown.drawn };
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn account_holds_what_it_owes(steps in prop::collection::vec(step(), 1..60)) {
        let (mut w, mut known) = (World::new(), Known::default());
        let total = |w: &World| w.state.balances.values().fold(U256::ZERO, |sum, wei| sum + wei);
        let supply = total(&w);
        for step in steps {
            take(&mut w, &mut known, step);
            prop_assert_eq!(w.balance(PAYOUTS), owes(&mut w, &known));
            prop_assert_eq!(total(&w), supply);
        }
    }
}
