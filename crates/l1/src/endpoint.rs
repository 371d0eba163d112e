//! Endpoint names that are fit for logs.

use reqwest::Url;

/// Scheme, host and port: paths and credentials of hosted endpoints are secrets.
pub fn redacted(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_a_url_do_not_reach_logs() {
        let url = Url::parse("https://user:pass@l1.example:8545/v3/SECRET?key=SECRET").unwrap();
        assert_eq!(redacted(&url), "https://l1.example:8545");
    }
}
