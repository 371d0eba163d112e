//! Plots as inline SVG.

use super::PreviewReport;
use crate::AttributorError;
use alloy_primitives::utils::format_ether;
use plotters::{coord::types::RangedCoordf64, prelude::*};

const SIZE: (u32, u32) = (720, 260);
const LINE: RGBColor = RGBColor(31, 95, 153);
/// Bars that a plot of rows has at most.
const MAX_BARS: usize = 64;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A plot's frame.
struct Frame {
    /// Upper ends of the axes; those without extent are drawn to one.
    across: f64,
    up: f64,
    /// What the axes are of.
    below: &'static str,
    beside: &'static str,
}

/// What all rows together would have earned, from the first receipt to the last, in OPEN.
pub(super) fn earned_over_receipts(report: &PreviewReport) -> Result<String, AttributorError> {
    let mut sum = 0.0;
    let mut points = vec![(0.0, 0.0)];
    for (at, receipt) in report.receipts.iter().enumerate() {
        sum += open(receipt.would_earn_wei);
        points.push(((at + 1) as f64, sum));
    }
    let frame = Frame {
        across: (points.len() - 1) as f64,
        up: sum,
        below: "receipts, oldest first",
        beside: "OPEN, summed",
    };
    drawn(&frame, |chart| {
        chart.draw_series(LineSeries::new(points, LINE.stroke_width(2))).map(drop).map_err(failed)
    })
}

/// Each row's mean part of a receipt in percent, the most useful first.
pub(super) fn usefulness(report: &PreviewReport) -> Result<String, AttributorError> {
    let mut parts: Vec<f64> = report.rows.iter().map(|row| row.usefulness_ppm / 1e4).collect();
    parts.sort_by(|a, b| b.total_cmp(a));
    parts.truncate(MAX_BARS);
    let frame = Frame {
        across: parts.len() as f64,
        up: parts.first().copied().unwrap_or(0.0),
        below: "rows, the most useful first",
        beside: "mean part of an answer, %",
    };
    let bars = parts.iter().enumerate().map(|(at, &part)| {
        let left = at as f64;
        Rectangle::new([(left + 0.1, 0.0), (left + 0.9, part)], LINE.filled())
    });
    drawn(&frame, |chart| chart.draw_series(bars).map(drop).map_err(failed))
}

/// A plot: its frame, and what `series` draws in it.
fn drawn(
    frame: &Frame,
    series: impl FnOnce(&mut Chart<'_, '_>) -> Result<(), AttributorError>,
) -> Result<String, AttributorError> {
    // An axis without extent cannot be drawn.
    let extent = |most: f64, air: f64| if most > 0.0 { most * air } else { 1.0 };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..extent(frame.across, 1.0), 0.0..extent(frame.up, 1.05))
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc(frame.below)
            .y_desc(frame.beside)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| short(*y))
            .draw()
            .map_err(failed)?;
        series(&mut chart)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn open(wei: alloy_primitives::U256) -> f64 {
    format_ether(wei).parse().unwrap_or(0.0)
}

/// A number in few characters.
fn short(value: f64) -> String {
    if value == 0.0 || (0.01..10_000.0).contains(&value.abs()) {
        format!("{value:.2}")
    } else {
        format!("{value:.1e}")
    }
}

fn failed(error: impl std::fmt::Display) -> AttributorError {
    AttributorError::Invalid(format!("a plot cannot be drawn: {error}"))
}
