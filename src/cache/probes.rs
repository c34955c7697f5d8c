//! What each Julia said of itself, kept while its files stay the same.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cache, FORMAT, Place, file_name_for, read_json, write_atomically};
use crate::file::{Sha256Digest, Stamp};
use crate::julia::{Driver, Facts, JuliaInstall};

/// A Julia's answer, with the stamps of the files that would be others if another Julia were there.
#[derive(Debug, Serialize, Deserialize)]
struct ProbeRecord {
    format: u32,
    /// The driver that asked: another may ask for more.
    driver: Sha256Digest,
    command: PathBuf,
    command_stamp: Stamp,
    executable_stamp: Stamp,
    base_image_stamp: Stamp,
    /// Where the times of these files say nothing.
    samples: Option<Samples>,
    /// If the command is a script: what it names that leads to the executable.
    way: Vec<Step>,
    facts: Facts,
}

/// A path in a script, and the file that it led to.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    path: PathBuf,
    leads_to: PathBuf,
    stamp: Stamp,
}

/// How many scripts may start each other.
const MOST_SCRIPTS: usize = 4;

impl Step {
    /// The way from a command to the executable, through scripts that name it or name others that do; `None` where it cannot be seen.
    fn way(command: &Path, executable: &Path, scripts: usize) -> Option<Vec<Self>> {
        let Some(script) =
            script(command).filter(|_| command.canonicalize().is_ok_and(|it| it != executable))
        else {
            return Some(Vec::new());
        };
        let steps = paths_in(&script).filter_map(|path| {
            let leads_to = path.canonicalize().ok()?;
            let is_on_way = is_julia(&leads_to, executable)
                || scripts < MOST_SCRIPTS && self::script(&leads_to).is_some();
            let rest = if is_on_way { Self::way(&leads_to, executable, scripts + 1)? } else { return None };
            let stamp = Stamp::of(&path).ok()?;
            Some(std::iter::once(Self { path, leads_to, stamp }).chain(rest))
        });
        let steps: Vec<Self> = steps.flatten().collect();
        (!steps.is_empty()).then_some(steps)
    }

    fn is_as_before(&self) -> bool {
        self.path.canonicalize().is_ok_and(|now| now == self.leads_to)
            && Stamp::of(&self.path).is_ok_and(|stamp| stamp.same_file(&self.stamp))
    }
}

/// What tells one Julia from another where every file has the same time of change.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Samples {
    /// The file that the command leads to.
    command: PathBuf,
    command_sha256: Sha256Digest,
    base_image_sha256: Sha256Digest,
}

impl Samples {
    fn of(command: &Path, base_image: &Path) -> std::io::Result<Self> {
        Ok(Self {
            command: command.canonicalize()?,
            command_sha256: Sha256Digest::of_sample(command)?,
            base_image_sha256: Sha256Digest::of_sample(base_image)?,
        })
    }
}

/// Whether files have times by which other ones in their place are noticed.
fn have_times(command: &Stamp, executable: &Stamp, base_image: &Stamp) -> bool {
    // An archive with one time for all (`SOURCE_DATE_EPOCH`) may be followed by another with the same.
    let is_one_for_all = command.mtime == base_image.mtime && executable.mtime == base_image.mtime;
    command.has_time() && executable.has_time() && base_image.has_time() && !is_one_for_all
}

impl Cache {
    /// What the Julia at `command` said when it was asked, if it is still the same files.
    pub fn probed(&self, command: &Path) -> Option<JuliaInstall> {
        self.places().find_map(|place| place.probed(command))
    }

    /// Keeps an answer. A cache that cannot be written to costs a process at the next start, and no more.
    pub fn keep_probe(&self, julia: &JuliaInstall) -> std::io::Result<()> {
        super::create_private(&self.folder("probes"))?;
        let command_stamp = Stamp::of(&julia.command)?;
        let executable_stamp = Stamp::of(&julia.facts.executable)?;
        let base_image_stamp = Stamp::of(&julia.facts.base_image)?;
        // What starts a Julia that it does not name may start another one tomorrow.
        let Some(way) = Step::way(&julia.command, &julia.facts.executable.canonicalize()?, 0) else {
            return Ok(());
        };
        let samples = match have_times(&command_stamp, &executable_stamp, &base_image_stamp) {
            true => None,
            false => Some(Samples::of(&julia.command, &julia.facts.base_image)?),
        };
        let record = ProbeRecord {
            format: FORMAT,
            driver: Sha256Digest::of(Driver::PROBE.text),
            command: julia.command.clone(),
            command_stamp,
            executable_stamp,
            base_image_stamp,
            samples,
            way,
            facts: julia.facts.clone(),
        };
        write_atomically(&probe_path(&self.root, &julia.command), &serde_json::to_vec(&record)?)
    }
}

impl Place<'_> {
    fn probed(&self, command: &Path) -> Option<JuliaInstall> {
        let path = probe_path(self.root, command);
        let record: ProbeRecord = read_json(&path).ok()?;
        let is_current = record.format == FORMAT
            && record.driver == Sha256Digest::of(Driver::PROBE.text)
            && record.command == command
            && Stamp::of(command).ok()?.same_file(&record.command_stamp)
            && Stamp::of(&record.facts.executable).ok()?.same_file(&record.executable_stamp)
            && Stamp::of(&record.facts.base_image).ok()?.same_file(&record.base_image_stamp)
            && match &record.samples {
                None => true,
                Some(known) => Samples::of(command, &record.facts.base_image).ok()? == *known,
            }
            && record.way.iter().all(Step::is_as_before);
        // The answer decides what is executed, so another user must not have written it.
        (is_current && self.trust.check(&path).is_ok()).then(|| JuliaInstall {
            command: command.to_owned(),
            facts: record.facts,
            load_path: None,
        })
    }
}

/// Whether a file is a Julia's executable, or one that stands for it in the same installation, as Debian's do.
fn is_julia(file: &Path, executable: &Path) -> bool {
    let installation = executable.parent().and_then(Path::parent);
    let has_name = file.file_name().is_some_and(|name| name.to_string_lossy().contains("julia"));
    file == executable || has_name && file.is_file() && installation.is_some_and(|it| file.starts_with(it))
}

/// What is larger is no script that starts a Julia.
const LARGEST_SCRIPT: u64 = 64 << 10;

/// The text of a command that is a script. What else a script names (`/dev/stdin`, a pipe) must not be read.
fn script(command: &Path) -> Option<String> {
    let may_be = command.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST_SCRIPT);
    let text = may_be.then(|| std::fs::read(command).ok()).flatten()?;
    text.starts_with(b"#!").then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The absolute paths that stand in a script.
fn paths_in(script: &str) -> impl Iterator<Item = PathBuf> {
    let words = script.split(|c: char| c.is_whitespace() || "\"'=;:|&()".contains(c));
    words.filter(|word| word.starts_with('/')).map(PathBuf::from)
}

fn probe_path(root: &Path, command: &Path) -> PathBuf {
    root.join("probes").join(file_name_for(command.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_what_it_starts() {
        let text = "#!/bin/sh\nroot=/opt/julia\nPATH=/a:/b exec \"/opt/julia/bin/julia\" \"$@\" # $HOME/x\n";
        let paths: Vec<_> = paths_in(text).collect();
        let expected = ["/opt/julia", "/a", "/b", "/opt/julia/bin/julia"].map(PathBuf::from);
        assert_eq!(paths, expected);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().canonicalize().unwrap().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let julia = write("program", "\x7fELF");
        let inner = write("inner", &format!("#!/bin/sh\nexec '{}'\n", julia.display()));
        let outer = write("outer", &format!("#!/bin/sh\necho /; exec {} $@\n", inner.display()));
        let way = |command: &Path| {
            Step::way(command, &julia, 0).map(|way| way.into_iter().map(|step| step.path).collect::<Vec<_>>())
        };
        assert_eq!(way(&julia), Some(Vec::new()));
        let beside = write("libexec-julia", "\x7fELF");
        let direct = write("direct", &format!("#!/bin/sh\nexec qemu '{}'\n", beside.display()));
        assert_eq!(way(&direct), Some(vec![beside]));
        assert_eq!(way(&outer), Some(vec![inner.clone(), julia.clone()]));
        assert_eq!(way(&write("blind", "#!/bin/sh\nexec $JULIA\n")), None);
        // Nobody writes into this one.
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let text = format!("#!/bin/sh\nexec {} < {}\n", julia.display(), pipe.display());
        assert_eq!(way(&write("from-a-pipe", &text)), Some(vec![julia.clone()]));
        // A program that is none of these is taken as it is.
        assert_eq!(way(&write("launcher", "\x7fELF")), Some(Vec::new()));
        std::fs::write(&inner, format!("#!/bin/sh\nexec '{}'\n", outer.display())).unwrap();
        assert_eq!(way(&outer), None);
    }

    #[test]
    fn times_that_are_all_the_same_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            let file = std::fs::File::create(&path).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
            Stamp::of(&path).unwrap()
        };
        assert!(have_times(
            &stamp("a", 1_790_000_000),
            &stamp("b", 1_790_000_000),
            &stamp("c", 1_790_000_100)
        ));
        assert!(!have_times(&stamp("a", 1), &stamp("b", 1), &stamp("c", 1)));
        assert!(!have_times(&stamp("a", 1_790_000_000), &stamp("b", 0), &stamp("c", 1_790_000_100)));
        assert!(!have_times(&stamp("a", 315_532_800), &stamp("b", 315_532_800), &stamp("c", 315_532_800)));
    }
}
