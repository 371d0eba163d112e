//! A preview as one HTML file that needs nothing else: no script, no font, no address.

use super::{
    PreviewReport, Trend,
    plot::{earned_over_receipts, usefulness},
};
use crate::AttributorError;
use alloy_primitives::{B256, U256, utils::format_ether};
use std::fmt::Write;

/// Characters of a row that are shown.
const SHOWN: usize = 160;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{border-collapse:collapse;width:100%;margin:1rem 0}\
    td,th{border-bottom:1px solid #ddd;padding:.3rem .5rem;text-align:left;vertical-align:top}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
    code{font-size:.85em}.dim{color:#777}svg{max-width:100%;height:auto}";

impl PreviewReport {
    /// The report as HTML. `texts` are the rows, in their order: it is for their owner's eyes.
    pub fn html(&self, texts: &[String]) -> Result<String, AttributorError> {
        let mut page = String::new();
        let written = self.write(&mut page, texts)?;
        written.map_err(|_| AttributorError::Invalid("the report cannot be written".into()))?;
        Ok(page)
    }

    fn write(&self, page: &mut String, texts: &[String]) -> Result<std::fmt::Result, AttributorError> {
        let (earned, useful) = (earned_over_receipts(self)?, usefulness(self)?);
        Ok(self.sections(page, texts, &earned, &useful))
    }

    fn sections(&self, page: &mut String, texts: &[String], earned: &str, useful: &str) -> std::fmt::Result {
        write!(
            page,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>What would these rows have earned?\
             </title><style>{STYLE}</style></head><body><h1>What would these rows have earned?</h1>"
        )?;
        write!(
            page,
            "<p>{} rows, scored for {} paid answers of model {}. Together they would have earned <b>{} OPEN</b> of the \
             {} OPEN that went to contributors.{}</p>",
            self.rows.len(),
            self.receipts.len(),
            self.model,
            ether(self.would_earn_wei),
            ether(self.contributors_wei),
            match self.receipts_without_sketch {
                0 => String::new(),
                n =>
                    format!(" {n} receipts are left out: they have no published sketch, or were found wrong."),
            }
        )?;
        write!(page, "<h2>Over the receipts</h2>{earned}<h2>By row</h2>{useful}")?;
        page.push_str(
            "<table><tr><th class=n>row</th><th>text</th><th class=n>OPEN</th><th class=n>mean part</th>\
             <th class=n>receipts</th><th>trend</th><th>why</th></tr>",
        );
        let mut order: Vec<_> = self.rows.iter().collect();
        order.sort_by_key(|row| (std::cmp::Reverse(row.would_earn_wei), row.row));
        for row in order {
            let text = texts.get(row.row).map_or("", String::as_str);
            let shown: String = text.chars().take(SHOWN).collect();
            write!(
                page,
                "<tr><td class=n>{}</td><td>{}{}</td><td class=n>{}</td><td class=n>{:.2} %</td><td class=n>{}</td>\
                 <td>{}</td><td>",
                row.row,
                escaped(&shown),
                if shown.len() < text.len() { "…" } else { "" },
                ether(row.would_earn_wei),
                row.usefulness_ppm / 1e4,
                row.receipts,
                arrow(row.trend),
            )?;
            match &row.left_out {
                Some(reason) => {
                    write!(page, "<span class=dim>would earn nothing: {}</span>", escaped(reason))?
                }
                None if row.reasons.is_empty() => page.push_str("<span class=dim>no answer needed it</span>"),
                None => {}
            }
            for reason in &row.reasons {
                write!(page, "{:.1} % of {}", f64::from(reason.ppm) / 1e4, hash(reason.receipt))?;
                for (at, beside) in reason.beside.iter().enumerate() {
                    let lead = if at == 0 { ", beside " } else { ", " };
                    write!(page, "{lead}contribution {} row {}", beside.contribution, beside.row)?;
                }
                page.push_str("<br>");
            }
            page.push_str("</td></tr>");
        }
        page.push_str(
            "</table><h2>Receipts</h2><table><tr><th>receipt</th><th class=n>settled (Unix s)</th>\
             <th class=n>to contributors</th><th class=n>part</th><th class=n>OPEN</th><th class=n>rows</th></tr>",
        );
        for receipt in &self.receipts {
            write!(
                page,
                "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{:.2} %</td><td class=n>{}</td>\
                 <td class=n>{}</td></tr>",
                hash(receipt.receipt),
                receipt.settled_at,
                ether(receipt.contributors_wei),
                f64::from(receipt.ppm) / 1e4,
                ether(receipt.would_earn_wei),
                receipt.rows,
            )?;
        }
        page.push_str("</table><h2>What this cannot know</h2><ul>");
        for limit in &self.limits {
            write!(page, "<li>{}</li>", escaped(limit))?;
        }
        page.push_str("</ul></body></html>\n");
        Ok(())
    }
}

/// OPEN with as many digits as matter.
fn ether(wei: U256) -> String {
    let whole = format_ether(wei);
    match whole.split_once('.') {
        Some((open, digits)) => format!("{open}.{}", &digits[..digits.len().min(6)]),
        None => whole,
    }
}

fn hash(request: B256) -> String {
    format!("<code title=\"{request}\">{:.10}…</code>", request.to_string())
}

const fn arrow(trend: Trend) -> &'static str {
    match trend {
        Trend::Rising => "↗ rising",
        Trend::Steady => "→ steady",
        Trend::Falling => "↘ falling",
        Trend::Unknown => "–",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::estimate::tests::sample;

    #[test]
    fn report_is_one_page_with_plots_and_no_text_becomes_markup() {
        let texts = ["<script>alert(1)</script> & \"row\"".to_owned(), "copy".into(), "é".repeat(500)];
        let page = sample().html(&texts).unwrap();
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        for outside in ["href=", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("near-duplicate of row 0") && page.contains("rising"));
        assert!(page.contains("beside contribution 7 row 4"));
        assert!(sample().html(&[]).is_ok());
    }
}
