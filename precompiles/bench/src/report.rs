//! The numbers: a flat JSON file, and a table for people.

use std::{collections::BTreeMap, fs, path::Path, thread};

use eyre::{OptionExt, Result, WrapErr};

const BEGIN: &str = "<!-- precompiles: written by `make bench-precompiles` -->";
const END: &str = "<!-- /precompiles -->";

/// Name → number.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<String, f64>);

impl Results {
    /// What an earlier run wrote, so that parts can be measured one by one.
    pub(crate) fn load(path: &Path) -> Self {
        let numbers = fs::read_to_string(path).ok().and_then(|json| serde_json::from_str(&json).ok());
        Self(numbers.unwrap_or_default())
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        println!("{name}: {value:.4}");
        self.0.insert(name, value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(&self.0)?;
        fs::write(path, json + "\n").wrap_err_with(|| format!("cannot write {}", path.display()))
    }

    /// Replaces the precompiles' tables in the document, and leaves the rest of it as it is.
    pub(crate) fn write_tables(&self, path: &Path, when: &str, command: &str, rows: &[String]) -> Result<()> {
        let text = fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let (before, rest) = text.split_once(BEGIN).ok_or_eyre("the document has no place for the table")?;
        let (_, after) = rest.split_once(END).ok_or_eyre("the table's place has no end")?;
        let tables =
            format!("{}\n\n{when}; `{command}`.\n\n{}{}", machine(), self.rows(rows), self.selectors());
        Ok(fs::write(path, format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))?)
    }

    /// Gas, time and slots of each row, and how the precompiles compare.
    fn rows(&self, rows: &[String]) -> String {
        let mut table = "| | gas | same layout | own layout | gas over own | µs | same layout | own layout | time over same | \
                         time over own |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for row in rows {
            let show = |name: &str, digits: usize| {
                self.get(&format!("{row}.{name}"))
                    .map_or_else(String::new, |value| format!("{value:.digits$}"))
            };
            table += &format!(
                "| {row} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                show("precompiles.gas", 0),
                show("same_layout.gas", 0),
                show("own_layout.gas", 0),
                show("gas_ratio", 2),
                show("precompiles.us", 1),
                show("same_layout.us", 1),
                show("own_layout.us", 1),
                show("time_over_same_layout", 2),
                show("time_over_own_layout", 2),
            );
        }
        table += "\n| slots of storage | read | changed | of these new | bytes of code | the same in Solidity, own layout |\n\
                  |---|---:|---:|---:|---:|---|\n";
        for row in rows {
            let of = |contender: &str, what: &str| {
                self.get(&format!("{row}.{contender}.{what}"))
                    .map_or_else(String::new, |value| format!("{value}"))
            };
            let ours = ["slots_read", "slots_changed", "slots_new", "code_bytes"]
                .map(|what| of("precompiles", what));
            let own =
                ["slots_read", "slots_changed", "slots_new", "code_bytes"].map(|what| of("own_layout", what));
            table += &format!("| {row} | {} | {} |\n", ours.join(" | "), own.join(" / "));
        }
        table
    }

    /// What is not of a row, and the functions that are slowest beside bytecode that does the same.
    fn selectors(&self) -> String {
        let mut table = "\n| name | value |\n|---|---:|\n".to_owned();
        let single = ["settle_", "long_tail.", "worst_block.", "ns_per_gas."];
        let summary = self.0.iter().filter(|(name, _)| {
            single.iter().any(|start| name.starts_with(start)) && name.matches('.').count() == 1
        });
        for (name, value) in summary {
            table += &format!("| `{name}` | {value:.2} |\n");
        }
        let mut ratios: Vec<_> =
            self.0.iter().filter(|(name, _)| name.ends_with(".ns_per_gas_ratio")).collect();
        ratios.sort_by(|a, b| f64::total_cmp(b.1, a.1));
        table += "\n| function | ns per gas over bytecode's | ns per gas | gas over bytecode's |\n|---|---:|---:|---:|\n";
        for (name, ratio) in ratios.iter().take(12) {
            let name = name.trim_end_matches(".ns_per_gas_ratio");
            let of = |what: &str| self.get(&format!("{name}.{what}")).unwrap_or(f64::NAN);
            let shown = name.trim_start_matches("selector.");
            table += &format!(
                "| `{shown}` | {ratio:.2} | {:.2} | {:.2} |\n",
                of("ns_per_gas"),
                of("gas_over_bytecode")
            );
        }
        table
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// The least of them: whatever else the machine does can only add to a time.
pub(crate) fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// This machine, and how busy it is.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
        .unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let profile = if cfg!(debug_assertions) { "with debug assertions" } else { "release" };
    format!("{cores} cores of {processor}, load {load} at the end; {profile}")
}
