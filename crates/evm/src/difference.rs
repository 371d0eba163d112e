//! How two views of one block differ, field by field.

use std::fmt::{self, Debug};

/// One header field with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field's name as in the header.
    pub field: &'static str,
    /// What it must be.
    pub expected: String,
    /// What the block says.
    pub found: String,
}

/// Every field that differs; empty where none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences(Vec<Difference>);

impl Differences {
    /// Notes `field` where the two values are not equal.
    pub fn compare<T: PartialEq + Debug>(&mut self, field: &'static str, expected: &T, found: &T) {
        if expected != found {
            self.push(field, format!("{expected:?}"), format!("{found:?}"));
        }
    }

    /// Notes `field` with a description of what it must be.
    pub fn push(&mut self, field: &'static str, expected: String, found: String) {
        self.0.push(Difference { field, expected, found });
    }

    /// The differences, in the order in which they were found.
    pub fn fields(&self) -> &[Difference] {
        &self.0
    }

    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Difference { field, expected, found }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field} is {found}, must be {expected}")?;
        }
        Ok(())
    }
}
