//! Who may order jobs, and how much each may have unfinished at one time.

use crate::{
    AttributorError,
    token::{OperatorToken, same},
};
use alloy_primitives::keccak256;
use serde::Deserialize;
use std::{fmt, fs, io::ErrorKind, path::Path};

/// Fewest characters of a token.
const MIN_CHARACTERS: usize = 32;
/// Most callers of one service.
const MAX_CALLERS: usize = 1_000;

/// How much is unfinished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) jobs: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// How much may be unfinished at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) jobs: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Quota {
    /// The operator's own.
    const OPERATOR: Self = Self { jobs: 1_000, rows: 1 << 40, bytes: 4 << 30 };

    /// Whether a job may join what is unfinished. One that is too large by itself will never fit; one that is not may
    /// later.
    pub(crate) fn admit(&self, job: Held, unfinished: Held) -> Result<(), AttributorError> {
        for (what, wanted, taken, allowed) in [
            ("jobs", job.jobs, unfinished.jobs, self.jobs),
            ("rows", job.rows, unfinished.rows, self.rows),
            ("bytes", job.bytes, unfinished.bytes, self.bytes),
        ] {
            if wanted > allowed {
                return Err(AttributorError::AboveQuota(format!(
                    "the job has {wanted} {what}; this token's quota is {allowed}: split it"
                )));
            }
            if taken.saturating_add(wanted) > allowed {
                return Err(AttributorError::QuotaFull(format!(
                    "{taken} {what} of this token are unfinished and the job has {wanted}; its quota is {allowed}: \
                     wait, or cancel a job"
                )));
            }
        }
        Ok(())
    }
}

/// Who orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) quota: Quota,
    pub(crate) is_operator: bool,
}

impl Caller {
    /// Whether this caller may see and cancel a job of `owner`.
    pub(crate) fn may_touch(&self, owner: &str) -> bool {
        self.is_operator || self.name == owner
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    token: String,
    quota: Quota,
}

/// Those with tokens besides the operator. Tokens are never shown by `Debug`.
#[derive(Default)]
pub(crate) struct Callers(Vec<Entry>);

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| &entry.name)).finish()
    }
}

impl Callers {
    /// Reads `[{"name": …, "token": …, "quota": {"jobs": …, "rows": …, "bytes": …}}]`; nobody where there is no file.
    pub(crate) fn load(path: &Path) -> Result<Self, AttributorError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => {
                text.map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?
            }
        };
        let invalid = |what: String| AttributorError::Invalid(format!("{}: {what}", path.display()));
        // The parser would quote what it does not expect, which may be a token.
        let entries: Vec<Entry> = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("line {}: not as documented", error.line())))?;
        if entries.len() > MAX_CALLERS {
            return Err(invalid(format!("more than {MAX_CALLERS} callers")));
        }
        for (at, entry) in entries.iter().enumerate() {
            let others = &entries[..at];
            let name = &entry.name;
            if name.is_empty() || name == OPERATOR || others.iter().any(|other| other.name == *name) {
                return Err(invalid(format!("caller {at} has no name of its own")));
            }
            if entry.token.len() < MIN_CHARACTERS || others.iter().any(|other| other.token == entry.token) {
                return Err(invalid(format!(
                    "{name}'s token is another's or shorter than {MIN_CHARACTERS} characters"
                )));
            }
        }
        Ok(Self(entries))
    }

    /// Whose token that is, in a time that does not depend on the tokens' content.
    pub(crate) fn of(&self, operator: &OperatorToken, given: &str) -> Option<Caller> {
        if operator.is(given) {
            return Some(Caller { name: OPERATOR.into(), quota: Quota::OPERATOR, is_operator: true });
        }
        let given = keccak256(given);
        let mut found = None;
        for entry in &self.0 {
            if same(keccak256(&entry.token), given) {
                found = Some(entry);
            }
        }
        found.map(|entry| Caller { name: entry.name.clone(), quota: entry.quota, is_operator: false })
    }
}

/// The operator's name among callers.
const OPERATOR: &str = "operator";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_above_the_quota_is_told_from_one_that_has_to_wait() {
        let quota = Quota { jobs: 2, rows: 10, bytes: 100 };
        let job = Held { jobs: 1, rows: 6, bytes: 50 };
        quota.admit(job, Held::default()).unwrap();
        let full = quota.admit(job, job).unwrap_err();
        assert!(matches!(&full, AttributorError::QuotaFull(said) if said.contains("6 rows")), "{full}");
        let above = quota.admit(Held { rows: 11, ..job }, Held::default()).unwrap_err();
        assert!(matches!(&above, AttributorError::AboveQuota(said) if said.contains("11 rows")), "{above}");
        let third = quota.admit(Held { rows: 0, bytes: 0, ..job }, Held { jobs: 2, rows: 0, bytes: 0 });
        assert!(matches!(third, Err(AttributorError::QuotaFull(_))));
        let most = Held { jobs: 1, rows: u64::MAX, bytes: u64::MAX };
        assert!(quota.admit(job, most).is_err(), "nothing overflows");
    }

    #[test]
    fn callers_are_known_by_their_tokens_which_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callers.json");
        let operator = OperatorToken::load_or_create(&folder.path().join("operator.token")).unwrap();
        assert_eq!(Callers::load(&path).unwrap().of(&operator, "x"), None);
        let (a, b) = ("a".repeat(32), "b".repeat(40));
        let entry = |name: &str, token: &str| serde_json::json!({ "name": name, "token": token, "quota": { "jobs": 1, "rows": 2, "bytes": 3 } });
        let write = |entries: serde_json::Value| fs::write(&path, entries.to_string()).unwrap();
        write(serde_json::json!([entry("ann", &a), entry("bob", &b)]));
        let callers = Callers::load(&path).unwrap();
        let ann = callers.of(&operator, &a).unwrap();
        assert_eq!((ann.name.as_str(), ann.quota.rows, ann.is_operator), ("ann", 2, false));
        assert!(ann.may_touch("ann") && !ann.may_touch("bob"));
        assert_eq!(callers.of(&operator, &b[1..]), None);
        assert!(!format!("{callers:?}").contains(&a));
        for wrong in [
            serde_json::json!([entry("operator", &a)]),
            serde_json::json!([entry("ann", &a), entry("ann", &b)]),
            serde_json::json!([entry("ann", &a), entry("bob", &a)]),
            serde_json::json!([entry("ann", "short")]),
            serde_json::json!({ "secret": a }),
        ] {
            write(wrong);
            let said = Callers::load(&path).unwrap_err().to_string();
            assert!(said.contains("callers.json") && !said.contains(&a), "{said}");
        }
    }
}
