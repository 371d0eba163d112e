#![doc = include_str!("../README.md")]

use std::{collections::BTreeMap, fs, path::Path, thread};

use eyre::{OptionExt, Result, WrapErr};

/// Name → number.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// What an earlier run wrote, so that parts can be measured one by one.
    pub fn load(path: &Path) -> Self {
        let numbers = fs::read_to_string(path).ok().and_then(|json| serde_json::from_str(&json).ok());
        Self(numbers.unwrap_or_default())
    }

    /// Keeps a number, in place of an earlier one with this name, and prints it.
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        println!("{name}: {value:.4}");
        self.0.insert(name, value);
    }

    /// The number with this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Names and numbers, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Writes the flat JSON file, and the folders above it.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(&self.0)?;
        fs::write(path, json + "\n").wrap_err_with(|| format!("cannot write {}", path.display()))
    }
}

/// Writes `tables` to the place `name` of the document, under a line that says on what, when and how they were
/// measured.
pub fn write_tables(document: &Path, name: &str, when: &str, command: &str, tables: &str) -> Result<()> {
    let text =
        fs::read_to_string(document).wrap_err_with(|| format!("cannot read {}", document.display()))?;
    let place = || format!("{} has no place for the tables of {name}", document.display());
    let (before, rest) = text.split_once(&format!("<!-- {name}: ")).ok_or_else(|| eyre::eyre!(place()))?;
    let (written_by, rest) = rest.split_once("-->").ok_or_eyre("the place's first line has no end")?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->")).ok_or_eyre("the place has no end")?;
    let tables = format!("{}\n\n{when}; `{command}`.\n\n{}", machine(), tables.trim_end());
    let text = format!("{before}<!-- {name}: {written_by}-->\n\n{tables}\n\n<!-- /{name} -->{after}");
    Ok(fs::write(document, text)?)
}

/// The middle one, or the mean of the two in the middle; not a number where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// The least of them: whatever else the machine does can only add to a time.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// This machine, and how busy it is.
pub fn machine() -> String {
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
    fn numbers_are_read_back_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("figures.json");
        let mut figures = Figures::load(&path);
        figures.set("a", 1.0);
        figures.set("b", 2.5);
        figures.set("a", 3.0);
        figures.write_json(&path).unwrap();
        assert_eq!(Figures::load(&path).iter().collect::<Vec<_>>(), [("a", 3.0), ("b", 2.5)]);
    }

    #[test]
    fn only_the_named_place_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("benchmarks.md");
        let begin = "<!-- core: written by `make x` -->";
        fs::write(&path, format!("# Title\n{begin}\nold\n<!-- /core -->\nrest\n")).unwrap();
        write_tables(&path, "core", "2026-01-01", "make x", "| `a.b` | 1.500 |\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("# Title\n{begin}\n")) && text.ends_with("<!-- /core -->\nrest\n"));
        assert!(text.contains("| `a.b` | 1.500 |\n") && !text.contains("old"));
        let error = write_tables(&path, "other", "", "", "").unwrap_err().to_string();
        assert!(error.contains("no place for the tables of other"), "{error}");
    }
}
