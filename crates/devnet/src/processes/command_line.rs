//! A program and its arguments, as run and as printed.

use std::{fmt, path::PathBuf};

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl CommandLine {
    /// A command without arguments yet.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.args.push(argument.into());
        self
    }

    /// Adds a flag and its value.
    pub fn flag(self, flag: &str, value: impl fmt::Display) -> Self {
        self.arg(flag).arg(value.to_string())
    }
}

/// As one would type it in a shell.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.program.to_string_lossy()))?;
        self.args.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn printed_command_means_the_same_to_a_shell() {
        let words = ["plain", "two words", "it's", "$HOME", ""];
        let command = words
            .iter()
            .fold(CommandLine::new("/usr/bin/printf").arg("%s|"), |command, &word| command.arg(word));
        let output =
            std::process::Command::new("/bin/sh").args(["-c", &command.to_string()]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "plain|two words|it's|$HOME||");
    }
}
