//! The processes that descend from a supervisor, as proc(5) shows them. Where there is no `/proc` there are none to be seen.

use std::collections::BTreeSet;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// A process of the family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its number.
    pub pid: Pid,
    /// Its parent's.
    pub parent: Pid,
    /// Its state: `R` runs or wants to, `S` sleeps, `D` waits for a disk, `T` and `t` are stopped, `Z` has ended.
    pub state: char,
    /// What it has done so far.
    pub done: Done,
}

/// What a process has done since it started, with its children that have ended and were waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Processor time of all threads, in clock ticks.
    pub ticks: u64,
    /// Pages that came from a disk: files that are mapped, and memory that comes back from swap.
    pub major_faults: u64,
    /// What was read and written, pipes and terminals included, in bytes.
    pub bytes: u64,
}

impl Member {
    fn read(pid: Pid) -> Option<Self> {
        let mut member = Self::parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        // Another user's, which a program with the set-user-ID bit becomes, does not tell.
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let values = io.lines().filter_map(|line| line.split_once(": "));
        let transfers = values.filter(|(name, _)| matches!(*name, "rchar" | "wchar"));
        member.done.bytes = transfers.filter_map(|(_, bytes)| bytes.parse::<u64>().ok()).sum();
        Some(member)
    }

    /// Reads a `stat` file, whose second field may have spaces and parentheses in it.
    fn parse(pid: Pid, stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // Counted as in proc(5), where the state is the third.
        let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
        let sum = |fields: &[usize]| fields.iter().map(|&field| number(field)).sum::<Option<u64>>();
        Some(Self {
            pid,
            parent: Pid::from_raw(i32::try_from(number(4)?).ok()?),
            state: fields.first()?.chars().next()?,
            done: Done { ticks: sum(&[14, 15, 16, 17])?, major_faults: sum(&[12, 13])?, bytes: 0 },
        })
    }

    /// Its command line.
    fn command(&self) -> Vec<String> {
        let text = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        text.split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }

    /// One of its files below `/proc`; empty when that cannot be read.
    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()
    }

    /// The first word behind a field's name in one of these files.
    fn first_word_of(&self, name: &str, field: &str) -> Option<String> {
        let text = self.file(name);
        let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    /// The package that it precompiles, if it is a Julia that does.
    pub fn precompiles(&self) -> Option<String> {
        package_of_output(&self.command())
    }

    /// Whether it waits for a SIGQUIT, as Julia does: then it prints what its threads (1.11 and later: its tasks) are doing, and
    /// exits (`signal_listener` in src/signals-unix.c, which takes the signal by `sigwait`).
    pub fn answers_quit(&self) -> bool {
        let blocked = self.first_word_of("status", "SigBlk:");
        let blocked = blocked.and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        blocked.is_some_and(|mask| mask & (1 << (Signal::SIGQUIT as i32 - 1)) != 0)
    }

    /// What can be seen of what it does, in one line.
    pub fn describe(&self) -> String {
        let command = self.command().join(" ").replace('\n', " ");
        let waits_in = self.file("wchan");
        let waits_in = match waits_in.trim() {
            "" | "0" => String::new(),
            function => format!(" in {function}"),
        };
        let state = match self.state {
            'R' => "runs",
            'S' => "sleeps",
            'D' => "waits for a disk",
            'T' | 't' => "is stopped",
            'Z' | 'X' => "has ended",
            _ => "idles",
        };
        let memory = if self.has_mapped_all_it_may() {
            ", out of memory: it has mapped all that `ulimit -v` allows"
        } else {
            ""
        };
        format!("process {} {state}{waits_in}{memory}: {command:.300}", self.pid)
    }

    /// Whether its address space is limited and came within a twentieth of the limit. An allocation that fails in LLVM can leave
    /// Julia waiting for a lock that its own thread holds, without a word.
    fn has_mapped_all_it_may(&self) -> bool {
        let number = |name, field| self.first_word_of(name, field)?.parse::<u64>().ok();
        let limit = number("limits", "Max address space");
        let peak = number("status", "VmPeak:").map(|kib| kib * 1024);
        matches!((peak, limit), (Some(peak), Some(limit)) if peak >= limit - limit / 20)
    }
}

/// All descendants of a process.
pub(super) fn members(root: Pid) -> Vec<Member> {
    descendants(root).into_iter().filter_map(Member::read).collect()
}

/// The numbers of all descendants of a process, as the `children` files list them.
pub(super) fn descendants(root: Pid) -> BTreeSet<Pid> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            waiting.extend(children.map(Pid::from_raw).filter(|&pid| found.insert(pid)));
        }
    }
    found
}

/// The package whose cache a Julia with this command line writes. The cache's folder is named after it, and the file itself before
/// it is renamed is not (`compilecache` in base/loading.jl): `compiled/v1.10/NAME/jl_x3Zt5A`, and `compiled/v1.5/NAME.ji` for one
/// without a UUID.
fn package_of_output(command: &[String]) -> Option<String> {
    let output =
        command.iter().enumerate().find_map(|(place, word)| match word.strip_prefix("--output-ji") {
            Some("") => command.get(place + 1).map(String::as_str),
            Some(value) => value.strip_prefix('='),
            None => None,
        })?;
    let file = Path::new(output);
    let folder = file.parent()?.file_name()?.to_str()?;
    let is_version =
        folder.strip_prefix('v').is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    let name = if is_version { file.file_stem()?.to_str()? } else { folder };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 200 3 4 10 20 30 40 20 0 1 0 5 6";
        let member = Member::parse(Pid::from_raw(7), stat).unwrap();
        assert_eq!((member.parent, member.state), (Pid::from_raw(1), 'S'));
        assert_eq!(member.done, Done { ticks: 100, major_faults: 7, bytes: 0 });
        assert_eq!(Member::parse(Pid::from_raw(7), "7 (a) S 1"), None);
    }

    #[test]
    fn the_package_is_named_by_the_folder_of_its_cache() {
        let package =
            |words: &[&str]| package_of_output(&words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>());
        let named = Some("Example".to_owned());
        assert_eq!(package(&["julia", "--output-ji", "/d/compiled/v1.5/Example/slug.ji", "--eval"]), named);
        assert_eq!(package(&["julia", "--output-ji=/d/compiled/v1.12/Example/jl_x3Zt5A"]), named);
        assert_eq!(package(&["julia", "--output-ji", "/d/compiled/v1.5/Example.ji"]), named);
        assert_eq!(package(&["julia", "--output-o", "/d/compiled/v1.5/Example/x.o"]), None);
        assert_eq!(package(&["julia", "--output-ji"]), None);
    }

    #[test]
    fn children_are_seen() {
        if !Path::new("/proc/self/stat").exists() {
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let seen = members(Pid::this()).into_iter().find(|member| member.pid == pid);
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = seen.expect("a child of this process");
        assert_eq!(seen.parent, Pid::this());
        assert!(!seen.answers_quit());
    }

    #[test]
    fn one_that_mapped_all_it_may_is_told_from_one_with_room() {
        if !Path::new("/proc/self/limits").exists() {
            return;
        }
        let described = |limit: &str| {
            let sleeps = format!("ulimit -v {limit}; exec sleep 60");
            let mut child = std::process::Command::new("sh").args(["-c", &sleeps]).spawn().unwrap();
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
            let sleeping = std::iter::repeat_with(|| Member::read(pid).unwrap()).find(|member| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                member.state == 'S' && member.command().first().is_some_and(|program| program == "sleep")
            });
            let described = sleeping.unwrap().describe();
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
            (described, peak.split_whitespace().next().unwrap().parse::<u64>().unwrap())
        };
        let (unlimited, peak) = described("unlimited");
        assert!(!unlimited.contains("out of memory"), "{unlimited}");
        let (roomy, _) = described(&(peak * 2).to_string());
        assert!(!roomy.contains("out of memory"), "{roomy}");
        let (full, _) = described(&(peak + peak / 50).to_string());
        assert!(full.contains("out of memory"), "{full}");
    }
}
