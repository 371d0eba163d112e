//! What processes take: time on a core, which tells what a comparison is worth where others share the cores, and memory.

use std::{fs, time::Duration};

/// The kernel's unit of what it tells of processes: hundredths of a second wherever Linux runs today.
const TICK: Duration = Duration::from_millis(10);

/// Time on all cores of a process since it began; zero where the system does not tell.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
    let fields = told.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// The most memory that a process had at a time so far, in MiB; zero where the system does not tell.
pub(crate) fn peak_mib(process: u32) -> f64 {
    let told = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn time_on_a_core_grows_with_work() {
        let before = cpu_time(std::process::id());
        let mut sum = 0_u64;
        while cpu_time(std::process::id()) == before {
            sum = std::hint::black_box(sum).wrapping_add(1);
        }
        assert!(cpu_time(std::process::id()) > before);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_of_memory_covers_what_was_held() {
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(peak_mib(std::process::id()) > (held.len() >> 20) as f64);
    }
}
