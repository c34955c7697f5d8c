//! Reading TOML files and their fields, with an error that says where and what.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use toml::{Table, Value};

use super::error::EnvironmentError;
use crate::toml_error::TomlError;

/// The table that a file holds.
pub(super) fn read(file: &Path) -> Result<Table, EnvironmentError> {
    let text = fs::read_to_string(file)
        .map_err(|error| EnvironmentError::Unreadable { file: file.to_owned(), reason: error.to_string() })?;
    parse(file, &text)
}

/// The table that `text`, the content of `file`, holds.
pub(super) fn parse(file: &Path, text: &str) -> Result<Table, EnvironmentError> {
    toml::from_str(text).map_err(|error| {
        let TomlError { line, column, problem } = TomlError::new(text, &error);
        EnvironmentError::Toml { file: file.to_owned(), line, column, problem }
    })
}

/// A table of a file, and how to name it in a message.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    file: &'a Path,
    package: Option<&'a str>,
    /// The keys that lead to the table from the file or the package's entry; no format nests deeper than this.
    sections: [Option<&'a str>; 2],
    table: &'a Table,
}

impl<'a> Fields<'a> {
    /// The whole of a file.
    pub(super) fn of_file(file: &'a Path, table: &'a Table) -> Self {
        Self { file, package: None, sections: [None; 2], table }
    }

    /// A package's entry in this manifest.
    pub(super) fn of_package(&self, package: &'a str, table: &'a Table) -> Self {
        Self { file: self.file, package: Some(package), sections: [None; 2], table }
    }

    /// The error that says `field` is wrong.
    pub(super) fn wrong(&self, field: &str, problem: impl Into<String>) -> EnvironmentError {
        EnvironmentError::Field {
            file: self.file.to_owned(),
            package: self.package.map(str::to_owned),
            field: self.sections.into_iter().flatten().chain([field]).collect::<Vec<_>>().join("."),
            problem: problem.into(),
        }
    }

    /// The value as it stands.
    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        self.table.get(field)
    }

    /// All keys with their values, in the keys' order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.table.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A string.
    pub(super) fn string(&self, field: &str) -> Result<Option<&'a str>, EnvironmentError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(field, "is not a string")),
        }
    }

    /// A string that a type reads; the type's own error says what it expects ("not a UUID …").
    pub(super) fn parsed<T>(&self, field: &str) -> Result<Option<T>, EnvironmentError>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: &str| text.parse().map_err(|error| self.wrong(field, format!("is {error}")));
        self.string(field)?.map(parse).transpose()
    }

    /// A string that is used as a path: neither empty nor with a NUL, which no system call would take.
    pub(super) fn path(&self, field: &str) -> Result<Option<&'a Path>, EnvironmentError> {
        match self.string(field)? {
            Some("") => Err(self.wrong(field, "is an empty path")),
            Some(path) if path.contains('\0') => Err(self.wrong(field, "has a NUL in its path")),
            path => Ok(path.map(Path::new)),
        }
    }

    /// A Boolean.
    pub(super) fn boolean(&self, field: &str) -> Result<Option<bool>, EnvironmentError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong(field, "is not true or false")),
        }
    }

    /// A nested table.
    pub(super) fn table(&self, field: &'a str) -> Result<Option<Fields<'a>>, EnvironmentError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Fields {
                sections: match self.sections {
                    [None, _] => [Some(field), None],
                    [first, _] => [first, Some(field)],
                },
                table,
                ..*self
            })),
            Some(_) => Err(self.wrong(field, "is not a table")),
        }
    }

    /// A list of strings.
    pub(super) fn strings(&self, field: &str) -> Result<Option<Vec<&'a str>>, EnvironmentError> {
        let Some(value) = self.value(field) else {
            return Ok(None);
        };
        value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect())
            .map(Some)
            .ok_or_else(|| self.wrong(field, "is not a list of strings"))
    }

    /// A string, or a list of strings, as a list.
    pub(super) fn one_or_more(&self, field: &str) -> Result<Vec<&'a str>, EnvironmentError> {
        if let Some(Value::String(text)) = self.value(field) {
            return Ok(vec![text]);
        }
        match self.strings(field) {
            Ok(texts) => Ok(texts.unwrap_or_default()),
            Err(_) => Err(self.wrong(field, "is neither a string nor a list of strings")),
        }
    }
}
