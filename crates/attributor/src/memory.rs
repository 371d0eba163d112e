//! Memory that work takes, reckoned before it is taken on: work that cannot fit is refused, not killed half-way.
//!
//! An order is held against all that there is, for what is free changes until its turn comes; when it begins, against what
//! is free. The figures are upper bounds from the sizes of what is held at one time, not measurements.

use crate::AttributorError;
use metrics::gauge;
use nvml_wrapper::Nvml;
use openledger_attribution::language::LanguageConfig;
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

    /// Of an evaluation whose small transformers train on so many rows and are tested on others. They live in the
    /// machine's memory, whatever the device.
    pub(crate) fn of_evaluation(rows: usize, tests: usize) -> Self {
        let host = LanguageConfig::default().judging_bytes(rows, tests);
        Self { what: "this evaluation", host, device: 0 }
    }

    /// Of reading in a model with so many rows and numbers: its adapter and its gradients' system.
    pub(crate) const fn of_loading(rows: usize, parameters: usize) -> Self {
        let adapter = parameters as u64 * F32;
        Self { what: "the model", host: system(rows as u64) + 3 * adapter, device: adapter }
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

    /// Refuses what will never fit, whatever else ends. Where the system does not say what there is, it is taken on.
    pub(crate) fn can_fit(self, device: Device) -> Result<(), AttributorError> {
        let all = |room: Room| Room { free: room.total, ..room };
        self.admit_into(host().map(all), of_device(device).map(all))
    }

    /// Refuses what does not fit into what is free now.
    pub(crate) fn fits_now(self, device: Device) -> Result<(), AttributorError> {
        self.admit_into(host(), of_device(device))
    }

    fn admit_into(self, host: Option<Room>, device: Option<Room>) -> Result<(), AttributorError> {
        let fits = |needed: u64, room: Option<Room>, place: &'static str| {
            let needed = needed.saturating_add(MARGIN);
            match room {
                Some(Room { free, total }) if needed > free => Err(AttributorError::NoMemory {
                    what: self.what,
                    place,
                    needed_mib: needed >> 20,
                    free_mib: free >> 20,
                    total_mib: total >> 20,
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

/// Memory that there is, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    free: u64,
    total: u64,
}

/// The machine's memory or the container's, whichever is less.
fn host() -> Option<Room> {
    let machine = machine(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).unwrap_or_default();
    let container = container(&read("memory.max"), &read("memory.current"), &read("memory.stat"));
    let rooms = [machine, container].into_iter().flatten();
    let room = rooms.reduce(|a, b| Room { free: a.free.min(b.free), total: a.total.min(b.total) })?;
    gauge!("attributor_memory_free_bytes", "place" => "host").set(room.free as f64);
    Some(room)
}

fn machine(meminfo: &str) -> Option<Room> {
    let of = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
    };
    Some(Room { free: of("MemAvailable:")?, total: of("MemTotal:")? })
}

/// From the files of version 2 of control groups. Files that were read stay in `memory.current` until their place is
/// needed: `inactive_file` of it is as good as free.
fn container(max: &str, current: &str, stat: &str) -> Option<Room> {
    let total: u64 = max.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let cached: u64 = cached.and_then(|cached| cached.trim().parse().ok()).unwrap_or(0);
    Some(Room { free: total.saturating_sub(current.saturating_sub(cached)), total })
}

/// Memory of a CUDA device, as its driver says.
fn of_device(device: Device) -> Option<Room> {
    let Device::Cuda(index) = device else { return None };
    let memory = Nvml::init().ok()?.device_by_index(u32::try_from(index).ok()?).ok()?.memory_info().ok()?;
    gauge!("attributor_memory_free_bytes", "place" => "device").set(memory.free as f64);
    Some(Room { free: memory.free, total: memory.total })
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
        let room = |gib: u64| Some(Room { free: gib << 30, total: 64 << 30 });
        needs.admit_into(room(16), None).unwrap();
        needs.admit_into(room(2), room(60)).unwrap();
        needs.admit_into(None, None).unwrap();
        let refused = needs.admit_into(room(1), None).unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains("1024 MiB") && said.contains("65536 MiB") && said.contains("this training"),
            "{said}"
        );
        assert_eq!(refused.status(), axum::http::StatusCode::INSUFFICIENT_STORAGE);
        let device = needs.admit_into(room(16), room(1)).unwrap_err().to_string();
        assert!(device.contains("device"), "{device}");
    }

    #[test]
    fn what_is_too_large_for_what_is_free_waits_and_what_is_too_large_for_the_machine_fails() {
        let needs = training(600, 300_000).unwrap();
        let refused = |total: u64| needs.admit_into(Some(Room { free: 1 << 30, total }), None).unwrap_err();
        assert!(refused(64 << 30).is_retryable());
        assert!(!refused(1 << 30).is_retryable());
    }

    #[test]
    fn evaluation_of_many_rows_asks_for_the_gradients_and_the_system_of_its_draws() {
        let of = |rows: usize| Needs::of_evaluation(rows - rows / 6, rows / 6).host;
        // 50 rows are a matter of megabytes, 16,384 of what few machines have.
        assert!(of(50) < 256 << 20, "{}", of(50));
        assert!(of(5_000) > 8 << 30 && of(16_384) > 48 << 30, "{} {}", of(5_000), of(16_384));
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
        let read = machine("MemTotal: 4096 kB\nMemAvailable:   2048 kB\n");
        assert_eq!(read, Some(Room { free: 2 << 20, total: 4 << 20 }));
        assert_eq!(machine("nothing"), None);
        assert!(host().is_some_and(|room| room.free > 0 && room.free <= room.total));
    }

    #[test]
    fn files_that_a_container_has_read_do_not_count_as_taken() {
        let stat = "anon 10\ninactive_file 600\nactive_file 50\n";
        assert_eq!(container("1000\n", "900\n", stat), Some(Room { free: 700, total: 1_000 }));
        assert_eq!(container("1000\n", "900\n", ""), Some(Room { free: 100, total: 1_000 }));
        assert_eq!(container("max\n", "900\n", stat), None, "there is no limit");
    }
}
