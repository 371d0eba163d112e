//! The tables for people.

use openledger_figures::Figures;

/// All tables, `rows` those of the contest.
pub(crate) fn tables(figures: &Figures, rows: &[&str]) -> String {
    contest(figures, rows) + &selectors(figures)
}

/// Gas, time and slots of each row, and how the precompiles compare.
fn contest(figures: &Figures, rows: &[&str]) -> String {
    let mut table = "| | gas | same layout | own layout | gas over own | µs | same layout | own layout | time over same | \
                     time over own |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for row in rows {
        let show = |name: &str, digits: usize| {
            figures
                .get(&format!("{row}.{name}"))
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
            figures
                .get(&format!("{row}.{contender}.{what}"))
                .map_or_else(String::new, |value| format!("{value}"))
        };
        let ours =
            ["slots_read", "slots_changed", "slots_new", "code_bytes"].map(|what| of("precompiles", what));
        let own =
            ["slots_read", "slots_changed", "slots_new", "code_bytes"].map(|what| of("own_layout", what));
        table += &format!("| {row} | {} | {} |\n", ours.join(" | "), own.join(" / "));
    }
    table
}

/// What is not of a row, and the functions that are slowest beside bytecode that does the same.
fn selectors(figures: &Figures) -> String {
    let mut table = "\n| name | value |\n|---|---:|\n".to_owned();
    let single = ["settle_", "long_tail.", "worst_block.", "ns_per_gas."];
    let summary = figures.iter().filter(|(name, _)| {
        single.iter().any(|start| name.starts_with(start)) && name.matches('.').count() == 1
    });
    for (name, value) in summary {
        table += &format!("| `{name}` | {value:.2} |\n");
    }
    let mut ratios: Vec<_> = figures.iter().filter(|(name, _)| name.ends_with(".ns_per_gas_ratio")).collect();
    ratios.sort_by(|a, b| f64::total_cmp(&b.1, &a.1));
    table += "\n| function | ns per gas over bytecode's | ns per gas | gas over bytecode's |\n|---|---:|---:|---:|\n";
    for (name, ratio) in ratios.iter().take(12) {
        let name = name.trim_end_matches(".ns_per_gas_ratio");
        let of = |what: &str| figures.get(&format!("{name}.{what}")).unwrap_or(f64::NAN);
        let shown = name.trim_start_matches("selector.");
        table += &format!(
            "| `{shown}` | {ratio:.2} | {:.2} | {:.2} |\n",
            of("ns_per_gas"),
            of("gas_over_bytecode")
        );
    }
    table
}
