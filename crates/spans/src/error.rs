//! What can be wrong with what is asked.

/// An error of the spans crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpansError {
    /// More text than one index takes.
    #[error("the rows hold more than {0} words; index fewer Datanets at a time")]
    TooManyWords(usize),
    /// Numbers that do not fit together.
    #[error("invalid request: {0}")]
    Invalid(String),
}
