//! Structured logs on standard error; `RUST_LOG` chooses what is shown.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

pub(crate) fn init() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
