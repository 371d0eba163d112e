//! A small transformer, trained from nothing, whose attribution can be judged by retraining it.
//!
//! Two pre-norm layers of causal attention over words, with one matrix a step and no other parameters, so
//! that every parameter sits in a linear map. It trains in a second or two, which is what retraining it on
//! a hundred subsets of its rows takes.

mod corpus;
mod network;
mod scoring;
#[cfg(test)]
mod tests;
mod train;

pub use corpus::{LanguageConfig, LanguageTask, has_words};
pub use scoring::{LanguageMethod, LanguageScorer, LanguageSettings};
pub use train::Trained;
