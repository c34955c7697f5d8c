//! Settings: `jlsys.toml` beside the project file, and the flags that win over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cpu::CpuTarget;
use crate::location::Location;
use crate::process::STALL_LIMIT;
use crate::signing::PublicKey;
use crate::toml_error::TomlError;
use crate::workload::{DEFAULT_TIME_LIMIT, Kind, WorkloadSettings};

/// The name of the settings file.
pub const FILE_NAME: &str = "jlsys.toml";

/// Everything that a user can decide about a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Path packages to take into the image, by name.
    pub include: Vec<String>,
    /// A folder whose path packages are taken into the image, whatever their names.
    pub include_within: Option<PathBuf>,
    /// Packages to leave out, by name.
    pub exclude: Vec<String>,
    /// What the image's code may run on; chosen by jlsys when absent.
    pub cpu_target: Option<CpuTarget>,
    /// Options for the Julia that writes the image.
    pub julia_args: Vec<String>,
    /// How long a whole build may take; without end when absent. It is no part of the key.
    pub time_budget: Option<Duration>,
    /// How long a process may do nothing before it is taken to be stuck. It is no part of the key either.
    pub stall_limit: Duration,
    /// The workloads.
    pub workloads: WorkloadSettings,
    /// Where images are shared.
    pub remote: RemoteSettings,
    /// The cache.
    pub cache: CacheSettings,
    /// What `postbuild` does. It is no part of the key.
    pub binder: BinderSettings,
}

/// The `[binder]` table of `jlsys.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BinderSettings {
    /// Whether an image is written, or the startup package is all that there is to be (Julia 1.9 and later); by what an image is worth when absent.
    pub image: Option<bool>,
}

/// What the cache may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSettings {
    /// The size of all images together, in bytes; older ones are removed after a build.
    pub max_size: Option<u64>,
}

/// The `[remote]` table of `jlsys.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RemoteSettings {
    /// Where images are shared.
    pub url: Option<Location>,
    /// Whose images are accepted.
    pub keys: Vec<PublicKey>,
    /// Whether `build` puts what it built there, where the environment gives it a key to sign with.
    pub push: bool,
}

impl RemoteSettings {
    /// The settings with a relative folder taken from `base`.
    pub fn within(mut self, base: &Path) -> Self {
        self.url = self.url.map(|url| url.within(base));
        self
    }
}

/// What flags say; each wins over the file. Kept with the project's record, so that `run` finds what `build` made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// `--include`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// The repository that `postbuild` was run in: its own path packages are taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_within: Option<PathBuf>,
    /// `--exclude`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// `--cpu-target`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_target: Option<CpuTarget>,
    /// What the machine was found to be: counts where neither a flag nor `jlsys.toml` says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_cpu_target: Option<CpuTarget>,
    /// `--time-limit`, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit_seconds: Option<u64>,
}

impl Overrides {
    /// Those that are flags, as people write them; empty where there are none.
    pub fn flags(&self) -> String {
        let list =
            |flag: &str, names: &[String]| (!names.is_empty()).then(|| format!("{flag} {}", names.join(",")));
        let target = self.cpu_target.as_ref().map(|target| format!("--cpu-target '{target}'"));
        let limit = self.time_limit_seconds.map(|seconds| format!("--time-limit {seconds}s"));
        let flags = [list("--include", &self.include), list("--exclude", &self.exclude), target, limit];
        flags.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read {}: {source}", .file.display())]
    Unreadable {
        /// The settings file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, a value of the wrong type.
    #[error("{place}: {problem}")]
    Invalid {
        /// `FILE:LINE:COLUMN`.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// An option of Julia that is not about how code is compiled.
    #[error(
        "{}: julia-args has '{argument}'; only options for how code is compiled can go into an image ({})",
        .file.display(),
        compile_options()
    )]
    JuliaArgument {
        /// The settings file.
        file: PathBuf,
        /// The option.
        argument: String,
    },
    /// A value of such an option that Julia refuses.
    #[error("{}: julia-args has '{argument}'; Julia takes one of {values} there", .file.display())]
    JuliaValue {
        /// The settings file.
        file: PathBuf,
        /// The option with its value.
        argument: String,
        /// The values that there are.
        values: String,
    },
}

/// The options of Julia that change the code in an image, and nothing about the process that writes it, each with the values
/// that Julia takes (`jl_parse_opts` in src/jloptions.c).
const COMPILE_OPTIONS: &[(&str, &[&str])] = &[
    ("-O", &["", "0", "1", "2", "3"]),
    ("--optimize", &["0", "1", "2", "3"]),
    ("--min-optlevel", &["0", "1", "2", "3"]),
    ("-g", &["", "0", "1", "2"]),
    ("--inline", &["yes", "no"]),
    ("--check-bounds", &["yes", "no", "auto"]),
    ("--math-mode", &["ieee", "fast", "user"]),
];

fn compile_options() -> String {
    COMPILE_OPTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A size in bytes, as people write it. A number alone is none: nobody means so many bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let has_unit = text.trim().parse::<f64>().map_or(true, |number| number == 0.0);
    let size = text.parse::<ByteSize>().ok().filter(|_| has_unit);
    size.map(|size| size.as_u64()).ok_or_else(|| "write a size with its unit, such as `20G`".to_owned())
}

/// A span of time, as people write it: `90s`, `10m`, `1h30m`.
pub fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| time.as_secs() > 0).ok_or_else(|| {
        "write a time of a second or more with its unit, as in `90s`, `10m` or `1h30m`".to_owned()
    })
}

/// A span of time in `jlsys.toml`.
struct Time(Duration);

/// A size in bytes in `jlsys.toml`.
struct Size(u64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let example = "write a time with its unit and in quotes, as in \"90s\", \"10m\" or \"1h30m\"";
        deserializer.deserialize_any(Quoted { example, parse: |text| time(text).ok().map(Self) })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let example = "write a size with its unit and in quotes, as in \"20G\"";
        deserializer.deserialize_any(Quoted { example, parse: |text| size(text).ok().map(Self) })
    }
}

/// Reads a value that is written as a text. Whatever else stands there gets the same answer: an example.
struct Quoted<T> {
    example: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Quoted<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.example)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::custom(format!("\"{text}\" will not do: {}", self.example)))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        Err(E::custom(format!("{number} will not do: {}", self.example)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format!("{number} will not do: {}", self.example)))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    include: Vec<String>,
    exclude: Vec<String>,
    cpu_target: Option<CpuTarget>,
    julia_args: Vec<String>,
    time_budget: Option<Time>,
    stall_limit: Option<Time>,
    workloads: WorkloadTable,
    remote: RemoteSettings,
    cache: CacheTable,
    binder: BinderSettings,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CacheTable {
    max_size: Option<Size>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct WorkloadTable {
    kinds: Option<Vec<Kind>>,
    scripts: Option<Vec<PathBuf>>,
    notebooks: Option<Vec<String>>,
    skip_tests: Vec<String>,
    time_limit: Option<Time>,
}

/// Whether an argument is one for an image, with a value that Julia takes.
fn check_argument(argument: &str, file: &Path) -> Result<(), ConfigError> {
    let unknown = || ConfigError::JuliaArgument { file: file.to_owned(), argument: argument.to_owned() };
    let known = COMPILE_OPTIONS.iter().find_map(|(name, values)| {
        let rest = argument.strip_prefix(name)?;
        // `-O2` and `-g1` take their value at once, long options behind `=`.
        let value = if name.starts_with("--") { rest.strip_prefix('=')? } else { rest };
        Some((value, values))
    });
    let (value, values) = known.ok_or_else(unknown)?;
    if values.contains(&value) {
        return Ok(());
    }
    let values = values.iter().filter(|value| !value.is_empty()).copied().collect::<Vec<_>>().join(", ");
    Err(ConfigError::JuliaValue { file: file.to_owned(), argument: argument.to_owned(), values })
}

impl Settings {
    /// Reads `jlsys.toml` in the project's folder, if it is there, and applies the flags.
    pub fn load(project_folder: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let file = project_folder.join(FILE_NAME);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { file, source }),
        };
        Self::parse(&text, &file, overrides)
    }

    fn parse(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let content: File = toml::from_str(text).map_err(|error| {
            let TomlError { line, column, problem } = TomlError::new(text, &error);
            ConfigError::Invalid { place: format!("{}:{line}:{column}", file.display()), problem }
        })?;
        for argument in &content.julia_args {
            check_argument(argument, file)?;
        }
        let time = |time: Option<Time>| time.map(|Time(time)| time);
        let mut settings = Self {
            include: content.include,
            include_within: overrides.include_within.clone(),
            exclude: content.exclude,
            cpu_target: content.cpu_target,
            julia_args: content.julia_args,
            time_budget: time(content.time_budget),
            stall_limit: time(content.stall_limit).unwrap_or(STALL_LIMIT),
            workloads: WorkloadSettings {
                kinds: content.workloads.kinds.unwrap_or_else(|| Kind::ALL.to_vec()),
                scripts: content.workloads.scripts,
                notebooks: content.workloads.notebooks,
                skip_tests: content.workloads.skip_tests,
                time_limit: time(content.workloads.time_limit).unwrap_or(DEFAULT_TIME_LIMIT),
            },
            remote: content.remote.within(file.parent().unwrap_or(Path::new("/"))),
            binder: content.binder,
            cache: CacheSettings { max_size: content.cache.max_size.map(|Size(bytes)| bytes) },
        };
        settings.apply(overrides);
        Ok(settings)
    }

    fn apply(&mut self, overrides: &Overrides) {
        if !overrides.include.is_empty() {
            self.include.clone_from(&overrides.include);
        }
        if !overrides.exclude.is_empty() {
            self.exclude.clone_from(&overrides.exclude);
        }
        if let Some(target) = &overrides.cpu_target {
            self.cpu_target = Some(target.clone());
        }
        if self.cpu_target.is_none() {
            self.cpu_target.clone_from(&overrides.found_cpu_target);
        }
        if let Some(seconds) = overrides.time_limit_seconds {
            self.workloads.time_limit = Duration::from_secs(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("/p/jlsys.toml"), &Overrides::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_needed() {
        let settings = parse("").unwrap();
        assert_eq!(settings.workloads.time_limit, Duration::from_secs(600));
        assert_eq!(settings.workloads.kinds, Kind::ALL);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let error = parse("include = []\n\n[workloads]\nskip-test = [\"A\"]\n").unwrap_err();
        assert!(
            error.starts_with("/p/jlsys.toml:4:1: there is no setting `skip-test`; there are `kinds`, "),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        let settings = parse("[workloads]\ntime-limit = \"1m30s\"").unwrap();
        assert_eq!(settings.workloads.time_limit, Duration::from_secs(90));
        for wrong in ["\"0s\"", "\"-1m\"", "\"20\"", "\"long\"", "20", "1.5", "true", "[\"1m\"]"] {
            for (name, line) in [("time-budget", 1), ("stall-limit", 1), ("[workloads]\ntime-limit", 2)] {
                let error = parse(&format!("{name} = {wrong}")).unwrap_err();
                assert!(error.starts_with(&format!("/p/jlsys.toml:{line}:")), "{error}");
                assert!(error.contains("write a time with its unit and in quotes"), "{error}");
            }
        }
        assert_eq!(parse("time-budget = \"20m\"").unwrap().time_budget, Some(Duration::from_secs(1200)));
    }

    #[test]
    fn only_compile_options_reach_the_image() {
        assert!(parse("julia-args = [\"-O2\", \"--check-bounds=no\", \"-g0\"]").is_ok());
        for argument in [
            "-e",
            "--project=/x",
            "-O2;rm",
            "-O9",
            "-L",
            "--output-o=x",
            "--inline",
            "--check-bounds=perhaps",
        ] {
            let error = parse(&format!("julia-args = [\"{argument}\"]")).unwrap_err();
            assert!(error.contains(argument), "{error}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(size("20G"), Ok(20_000_000_000));
        assert_eq!(size("1.5 MiB"), Ok(1_572_864));
        assert_eq!(size("0"), Ok(0));
        for wrong in ["20", " 20 ", "1e9", "-1G", "many", ""] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["\"20\"", "20", "\"20Q\""] {
            let error = parse(&format!("[cache]\nmax-size = {wrong}")).unwrap_err();
            assert!(error.contains("write a size with its unit and in quotes, as in \"20G\""), "{error}");
        }
    }

    #[test]
    fn what_is_not_toml_or_of_another_type_is_said_in_words() {
        for (text, words) in [
            ("cpu-target = native", "native must stand in quotes: \"native\""),
            ("time-budget = 20m", "20m must stand in quotes: \"20m\""),
            ("[workloads]\nkinds = [load]", "load must stand in quotes: \"load\""),
            ("exclude = Heavy # for now", "Heavy must stand in quotes: \"Heavy\""),
            ("include = \"Own\"", "it is \"Own\", and must be a list, as in [\"a\", \"b\"]"),
            ("julia-args = 2", "it is `2`, and must be a list"),
            ("cpu-target = 3", "it is `3`, and must be a text in quotes"),
            ("workloads = 3", "it is `3`, and must be a table"),
            ("[workloads]\nkinds = [\"test\"]", "there is no `test`; there are `load`, `tests`"),
            ("time-budget = \"20m", "no quote at its end"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains('\n') && !error.contains("expected"), "{error}");
        }
        // What is more than this is TOML's to say.
        assert!(parse("include = [\"A\"").unwrap_err().starts_with("/p/jlsys.toml:1:"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let overrides = Overrides { cpu_target: Some(CpuTarget::Portable), ..Overrides::default() };
        let file = Path::new("/p/jlsys.toml");
        let settings =
            Settings::parse("cpu-target = \"native\"\ninclude = [\"A\"]", file, &overrides).unwrap();
        assert_eq!(settings.cpu_target, Some(CpuTarget::Portable));
        assert_eq!(settings.include, ["A"]);
    }
}
