//! Memory that work takes, reckoned before it is taken on: work that cannot fit is refused, not killed half-way.
//!
//! The figures are upper bounds from the sizes of what is held at one time, not measurements.

use crate::AttributorError;
use metrics::gauge;
use nvml_wrapper::Nvml;
use openledger_model::{Device, LoraConfig, ModelConfig, TrainConfig};
use std::fs;

/// Bytes of a single number.
const F32: u64 = 4;
/// Tokens of one forward pass of training at most.
const BATCH_TOKENS: u64 = 2_048;
/// Rows whose gradients are taken at a time.
const GRADIENT_ROWS: u64 = 64;
/// Numbers of each row that a pass over stored gradients holds at a time.
const BLOCK_COLUMNS: u64 = 8_192;
/// Bytes of text a token, at the least.
const BYTES_A_TOKEN: u64 = 2;
/// Left free for everything else.
const MARGIN: u64 = 256 << 20;

/// Bytes that a piece of work takes at most, besides what is held already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    what: &'static str,
    /// In the machine's memory, whatever the device.
    host: u64,
    /// Where tensors live.
    device: u64,
}

impl Needs {
    /// Of training on so many rows with so many bytes of text, and of their gradients' system.
    pub(crate) fn of_training(
        model: &ModelConfig,
        config: &TrainConfig,
        rows: usize,
        text_bytes: usize,
    ) -> Result<Self, AttributorError> {
        if rows > openledger_attribution::MAX_ROWS {
            return Err(AttributorError::Invalid(format!(
                "the Datanets hold {rows} rows; the exact method takes at most {} of one model: train several models",
                openledger_attribution::MAX_ROWS
            )));
        }
        let (n, parameters) = (rows as u64, parameters(model, config.lora));
        let tokens = text_bytes as u64 / BYTES_A_TOKEN + n;
        let prefixes = (tokens * model.d_model as u64 * F32).min(crate::lab::PREFIX_CACHE_BYTES as u64);
        // Values, leaves, gradients, two moments and the checkpoint's copies of them.
        let adapter = 8 * parameters * F32;
        let gradients = 2 * GRADIENT_ROWS * parameters * F32;
        Ok(Self {
            what: "this training",
            host: gradients + system(n),
            device: prefixes + adapter + pass(model, config.lora.n_layers, BATCH_TOKENS.min(tokens.max(1))),
        })
    }

    /// Of scoring a text with a model of so many rows: its gradients' system, if it has to be read in, and one pass.
    pub(crate) fn of_scoring(model: &ModelConfig, lora: LoraConfig, rows: usize) -> Self {
        let context = (model.context_tokens as u64).min(openledger_model::MAX_SEQUENCE_TOKENS as u64);
        let parameters = parameters(model, lora);
        Self {
            what: "this job",
            host: system(rows as u64) + 3 * parameters * F32,
            device: 4 * parameters * F32 + pass(model, lora.n_layers, context),
        }
    }

    /// Refuses what does not fit into what is free now. Where the system does not say what is free, it is taken on.
    pub(crate) fn admit(self, device: Device) -> Result<(), AttributorError> {
        self.admit_into(free_host(), free_device(device))
    }

    fn admit_into(self, host: Option<u64>, device: Option<u64>) -> Result<(), AttributorError> {
        let fits = |needed: u64, free: Option<u64>, place: &'static str| {
            let needed = needed.saturating_add(MARGIN);
            match free {
                Some(free) if needed > free => Err(AttributorError::NoMemory {
                    what: self.what,
                    place,
                    needed_mib: needed >> 20,
                    free_mib: free >> 20,
                }),
                _ => Ok(()),
            }
        };
        match device {
            // Without a device of its own all of it is the machine's.
            None => fits(self.host.saturating_add(self.device), host, "memory"),
            Some(_) => {
                fits(self.device, device, "the device's memory")?;
                fits(self.host, host, "memory")
            }
        }
    }
}

/// Numbers of an adapter on query and value.
fn parameters(model: &ModelConfig, lora: LoraConfig) -> u64 {
    let (d, kv) = (model.d_model as u64, (model.d_model / model.n_heads.max(1) * model.n_kv_heads) as u64);
    lora.n_layers as u64 * lora.rank as u64 * (3 * d + kv)
}

/// Inner products of all rows, their factor, and a block of the pass that makes them, in f64.
const fn system(rows: u64) -> u64 {
    2 * rows * rows * 8 + rows * BLOCK_COLUMNS * (F32 + 8)
}

/// What a forward and backward pass over so many tokens keeps: each layer's activations, attention, and logits.
fn pass(model: &ModelConfig, layers: usize, tokens: u64) -> u64 {
    let longest = (openledger_model::MAX_SEQUENCE_TOKENS as u64).min(tokens);
    let layer = tokens * (10 * model.d_model as u64 + 4 * model.d_ff as u64);
    let attention = 2 * tokens * longest * model.n_heads as u64;
    let logits = 3 * tokens * model.vocab_size as u64;
    (layers as u64 * (layer + attention) + logits) * F32
}

/// Free memory of the machine or of the container, whichever is less.
fn free_host() -> Option<u64> {
    let free = [available(&fs::read_to_string("/proc/meminfo").unwrap_or_default()), container()];
    let free = free.into_iter().flatten().min();
    if let Some(free) = free {
        gauge!("attributor_memory_free_bytes", "place" => "host").set(free as f64);
    }
    free
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}

fn container() -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

/// Free memory of a CUDA device, as its driver says.
fn free_device(device: Device) -> Option<u64> {
    let Device::Cuda(index) = device else { return None };
    let free = Nvml::init().ok()?.device_by_index(u32::try_from(index).ok()?).ok()?.memory_info().ok()?.free;
    gauge!("attributor_memory_free_bytes", "place" => "device").set(free as f64);
    Some(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub;

    fn training(rows: usize, bytes: usize) -> Result<Needs, AttributorError> {
        Needs::of_training(&stub::model_config(), &TrainConfig::default(), rows, bytes)
    }

    #[test]
    fn training_that_cannot_fit_is_refused_with_both_figures() {
        let needs = training(600, 300_000).unwrap();
        needs.admit_into(Some(16 << 30), None).unwrap();
        needs.admit_into(Some(2 << 30), Some(80 << 30)).unwrap();
        needs.admit_into(None, None).unwrap();
        let refused = needs.admit_into(Some(1 << 30), None).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("1024 MiB") && said.contains("this training"), "{said}");
        assert_eq!(refused.status(), axum::http::StatusCode::INSUFFICIENT_STORAGE);
        let device = needs.admit_into(Some(16 << 30), Some(1 << 30)).unwrap_err().to_string();
        assert!(device.contains("device"), "{device}");
    }

    #[test]
    fn more_rows_never_need_less() {
        let mut before = 0;
        for rows in [1, 10, 100, 1_000, 10_000, 16_384] {
            let needs = training(rows, rows * 500).unwrap();
            assert!(needs.host + needs.device > before);
            before = needs.host + needs.device;
        }
    }

    #[test]
    fn million_rows_of_one_model_are_refused_before_any_step() {
        let refused = training(1_000_000, 1 << 30).unwrap_err().to_string();
        assert!(refused.contains("1000000 rows") && refused.contains("16384"), "{refused}");
    }

    #[test]
    fn parameters_are_those_of_an_adapter() {
        let lora = LoraConfig { rank: 8, alpha: 16.0, n_layers: 30 };
        assert_eq!(parameters(&stub::model_config(), lora), 460_800);
    }

    #[test]
    fn free_memory_is_read_from_what_the_kernel_says() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("nothing"), None);
        assert!(free_host().is_some_and(|free| free > 0));
    }
}
