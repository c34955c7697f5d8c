//! A command, as plain data until it runs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use duct::Expression;
use serde::{Deserialize, Serialize};

/// A command that is yet to run: arguments are passed one by one, no shell takes part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// What to execute: a path, or a name to look up on `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables to set (`Some`) or to remove (`None`) in the inherited environment.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The working folder; the caller's own when absent.
    pub directory: Option<PathBuf>,
    /// A file that jlsys gives it: until that is there it may do nothing, and is not stuck.
    pub waits_for: Option<PathBuf>,
    /// Whether it was stuck before: then it is given half of the time.
    pub is_suspect: bool,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: None,
            waits_for: None,
            is_suspect: false,
        }
    }

    /// Appends one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends an option whose value is joined to it, such as `--project=` and a path.
    pub fn option(self, option: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(option);
        argument.push(value);
        self.arg(argument)
    }

    /// Appends several arguments.
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Sets several variables of the environment.
    pub fn envs<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))));
        self
    }

    /// Removes a variable from the environment.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Sets the working folder.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Lets it do nothing until this file is there.
    pub fn waits_for(mut self, file: impl Into<PathBuf>) -> Self {
        self.waits_for = Some(file.into());
        self
    }

    /// Gives it half of the time in which nothing may happen, if it was stuck before.
    pub fn suspect(mut self, was_stuck: bool) -> Self {
        self.is_suspect = was_stuck;
        self
    }

    /// Whether it is given its own value of a variable.
    pub(super) fn sets(&self, variable: &str) -> bool {
        self.env.iter().any(|(name, _)| name == variable)
    }

    /// What runs it: nothing on its standard input, its errors where its output goes, and no status an error.
    pub(super) fn expression(&self) -> Expression {
        // As text: a path without a folder would be a file of the working folder, and a name is to be looked up.
        let mut expression = duct::cmd(self.program.as_os_str(), &self.args);
        // What is said of an expression first is nearest to the command, and counts.
        for (name, value) in self.env.iter().rev() {
            expression = match value {
                Some(value) => expression.env(name, value),
                None => expression.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            expression = expression.dir(directory);
        }
        expression.stdin_null().stderr_to_stdout().unchecked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(command: &Command) -> String {
        command.expression().read().unwrap()
    }

    fn shell(code: &str) -> Command {
        Command::new("sh").args(["-c", code])
    }

    #[test]
    fn what_was_said_of_a_variable_last_counts() {
        let shown = shell("echo ${JLSYS_TEST-none}");
        assert_eq!(printed(&shown.clone().env("JLSYS_TEST", "1").env("JLSYS_TEST", "2")), "2");
        assert_eq!(printed(&shown.clone().env("JLSYS_TEST", "1").env_remove("JLSYS_TEST")), "none");
        assert_eq!(printed(&shown.env_remove("JLSYS_TEST").env("JLSYS_TEST", "1")), "1");
    }

    #[test]
    fn errors_go_where_output_goes_and_input_is_empty() {
        assert_eq!(printed(&shell("echo out; echo err >&2; cat; exit 7")), "out\nerr");
    }

    #[test]
    fn a_working_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        assert_eq!(printed(&shell("pwd -P").directory(&folder)), folder.to_str().unwrap());
    }

    #[test]
    fn what_is_missing_is_an_error_of_the_system() {
        let error = Command::new("jlsys-no-such-program").expression().read().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
