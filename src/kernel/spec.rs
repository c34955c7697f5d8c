//! A kernelspec as `kernel.json` has it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::KernelError;

/// The file that makes a folder a kernelspec.
pub(super) const FILE_NAME: &str = "kernel.json";

/// How a kernel is started, and how it is shown. Fields that jlsys has no use for are kept as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelSpec {
    /// The command; Jupyter fills in `{connection_file}` and the like.
    pub argv: Vec<String>,
    /// The name that people see.
    #[serde(default)]
    pub display_name: String,
    /// The language, such as `julia`.
    #[serde(default)]
    pub language: String,
    /// Variables for the kernel.
    #[serde(default)]
    pub env: Map<String, Value>,
    /// Whatever programs want to keep with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// All else, such as `interrupt_mode`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl KernelSpec {
    /// Reads a `kernel.json`.
    pub fn read(file: &Path) -> Result<Self, KernelError> {
        let text = std::fs::read(file).map_err(KernelError::file(file))?;
        let spec: Self = serde_json::from_slice(&text).map_err(|error| KernelError::Invalid {
            file: file.to_owned(),
            problem: format!("not a kernelspec: {error}"),
        })?;
        if spec.argv.is_empty() {
            let problem = "`argv` is empty: there is nothing to start".to_owned();
            return Err(KernelError::Invalid { file: file.to_owned(), problem });
        }
        Ok(spec)
    }

    /// Writes it, by one rename, so that nobody sees half of it.
    pub(super) fn write(&self, file: &Path) -> Result<(), KernelError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| KernelError::Invalid { file: file.to_owned(), problem: error.to_string() })?;
        text.push(b'\n');
        write_atomically(file, &text).map_err(KernelError::file(file))
    }

    /// Whether it is for Julia.
    pub fn is_julia(&self) -> bool {
        self.language.eq_ignore_ascii_case("julia")
    }
}

fn write_atomically(file: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut temporary = tempfile::Builder::new().prefix(".jlsys-").tempfile_in(folder)?;
    temporary.write_all(text)?;
    // Everybody may start a kernel that is installed for everybody.
    temporary.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    temporary.persist(file)?;
    Ok(())
}
