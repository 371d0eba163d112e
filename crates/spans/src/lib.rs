#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod index;
mod merge;
mod quotes;
mod words;

pub use error::SpansError;
pub use index::{MAX_WORDS, SpanIndex};
pub use merge::{Merged, MergedShare, PPM, merge};
pub use quotes::{Quote, QuoteConfig, Quotes, Source};
