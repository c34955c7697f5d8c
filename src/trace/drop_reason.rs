//! Why a trace's line is left out.

use std::fmt;

use serde::Serialize;

/// Why a trace's line is left out of the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Not a whole `precompile(Tuple{…})`: the process died while writing it, or it is something else.
    Unreadable,
    /// It names `Main` or something in it, which every process has for itself.
    Main,
    /// It names a module that no package of the environment and no module of the base image is. Julia prints a module
    /// below `Main` without `Main.` (`jl_static_show` in `src/rtutils.c`), so a test's own modules look like this.
    ModuleNotLoaded,
    /// It is about the standard library's `Test`, for which a session of the project has no use.
    Test,
    /// It names a value whose printed form holds an address or leaves out what it is: `<?#0x…>`, `#<null>`,
    /// `<circular reference @-1>`, `#<intrinsic #2 add_int>`, the elements of an array.
    Unprintable,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "not a whole precompile statement",
            Self::Main => "names something defined in Main",
            Self::ModuleNotLoaded => "names a module that no package is (a test's or a script's own)",
            Self::Test => "is about the package Test, which the project does not name",
            Self::Unprintable => "names a value that has no readable form",
        })
    }
}
