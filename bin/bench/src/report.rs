//! The numbers: a flat JSON file, and a table for people.

use std::{collections::BTreeMap, fs, path::Path, thread};

use eyre::{OptionExt, Result, WrapErr};

const BEGIN: &str = "<!-- core: written by `make bench-core` -->";
const END: &str = "<!-- /core -->";

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

    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(&self.0)?;
        fs::write(path, json + "\n").wrap_err_with(|| format!("cannot write {}", path.display()))
    }

    /// Replaces the core's table in the document, and leaves the rest of it as it is.
    pub(crate) fn write_table(&self, path: &Path, when: &str, command: &str) -> Result<()> {
        let text = fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let (before, rest) = text.split_once(BEGIN).ok_or_eyre("the document has no place for the table")?;
        let (_, after) = rest.split_once(END).ok_or_eyre("the table's place has no end")?;
        let mut table = format!("{}\n\n{when}; `{command}`.\n\n| name | value |\n|---|---:|\n", machine());
        for (name, value) in &self.0 {
            let digits = if value.abs() >= 100.0 { 0 } else { 3 };
            table += &format!("| `{name}` | {value:.digits$} |\n");
        }
        Ok(fs::write(path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?)
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

/// This machine, and how busy it is.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: String, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
            .unwrap_or_default()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = field(read("/proc/meminfo"), "MemTotal");
    let kib = memory.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let processor = field(read("/proc/cpuinfo"), "model name");
    let profile = if cfg!(debug_assertions) { "with debug assertions" } else { "release" };
    format!("{cores} cores of {processor}, {} GiB of memory, load {load} at the end; {profile}", kib >> 20)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn only_the_table_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("benchmarks.md");
        fs::write(&path, format!("# Title\n{BEGIN}\nold\n{END}\nrest\n")).unwrap();
        let mut results = Results::default();
        results.set("a.b", 1.5);
        results.write_table(&path, "2026-01-01", "make x").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# Title\n") && text.ends_with("\nrest\n"));
        assert!(text.contains("| `a.b` | 1.500 |") && !text.contains("old"));
    }
}
