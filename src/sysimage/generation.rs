//! How a Julia generates an image's code: in how many threads, and with which memory.

use std::ffi::{OsStr, OsString};

use crate::julia::JuliaInstall;
use crate::workload::Capacity;

/// Variables for a process that generates code for a package image, and for those that it starts. `memory` is what it
/// needs, in bytes, when it generates code in several threads; `here` is what there is.
pub(crate) fn code_generation(
    julia: &JuliaInstall,
    here: Capacity,
    memory: u64,
) -> impl Iterator<Item = (&'static str, OsString)> {
    let threads =
        image_threads(julia, here, memory).map(|threads| (IMAGE_THREADS, threads.to_string().into()));
    threads.into_iter().chain([allocator()])
}

/// What a Julia needs for statements when several threads generate code, in bytes, beside what it needs for other code. It is half
/// as much again and more as with one, since the code is there a second time for them; how many they are matters little. Julia
/// 1.10.2, six of the standard library's packages: 9.2 GB for 8,084 statements and Julia's own code; for 505 of them 5.6 GB with two
/// threads, 5.7 with four, 3.8 with one.
pub(crate) fn memory_for(statements: u64) -> u64 {
    statements * 490_000
}

/// The same for what is in every image.
pub(super) const MEMORY_FOR_STOCK_IMAGE: u64 = 5_300_000_000;

/// How Julia is told how many threads generate code.
const IMAGE_THREADS: &str = "JULIA_IMAGE_THREADS";

/// How glibc's allocator is told what to do; other C libraries pass it over.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// How the allocator is to go about it.
pub(super) fn allocator() -> (&'static str, OsString) {
    (TUNABLES, tunables(std::env::var_os(TUNABLES)))
}

/// LLVM makes and drops small objects by the million, in gigabytes of memory. Writing an image of Julia 1.5 took 278 s of processor
/// time, a fifth of it in the allocator. In huge pages, which most systems give only to those who ask, it took 243 s (and 1 %
/// more memory), and a tenth less again when more than 7 freed objects of each size are kept at hand (224 and 201 s). To
/// workloads it makes no difference.
fn tunables(set: Option<OsString>) -> OsString {
    const OURS: &str = "glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=2000";
    match set {
        // Of several values for one, the last counts: what is set already wins.
        Some(set) if !set.is_empty() => [OsStr::new(OURS), OsStr::new(":"), &set].into_iter().collect(),
        _ => OURS.into(),
    }
}

/// How many threads generate code, where that can be said: the process itself must have one thread. What the user set stays.
pub(super) fn image_threads(julia: &JuliaInstall, here: Capacity, memory: u64) -> Option<usize> {
    let is_set = std::env::var_os(IMAGE_THREADS).is_some_and(|threads| !threads.is_empty());
    if is_set || !julia.differences().has_image_threads() {
        return None;
    }
    Some(threads_within(here, memory))
}

/// One thread takes 40 % longer than two (412 and 292 s for the 505 statements above), which is better than no image.
fn threads_within(here: Capacity, memory: u64) -> usize {
    if here.memory < memory { 1 } else { here.cores }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_generate_code_where_there_is_memory_for_them() {
        let needed = MEMORY_FOR_STOCK_IMAGE + memory_for(1000);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 6 << 30 }, needed), 8);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 5 << 30 }, needed), 1);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 5 << 30 }, memory_for(1000)), 8);
    }

    #[test]
    fn what_the_user_set_stays_and_wins() {
        let ours = tunables(None).into_string().unwrap();
        assert!(ours.starts_with("glibc.malloc."), "{ours}");
        assert_eq!(tunables(Some("".into())), *ours);
        let theirs = "glibc.malloc.hugetlb=0";
        assert_eq!(tunables(Some(theirs.into())), *format!("{ours}:{theirs}"));
    }
}
