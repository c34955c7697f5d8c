//! Whether the machine has what writing an image takes.

use indicatif::HumanBytes;

use super::check::Check;
use crate::cpu::{CpuTarget, HostCpu};
use crate::prepare::Prepared;
use crate::process;
use crate::report::Report;
use crate::sysimage::{NoTarget, Served};
use crate::workload::Capacity;

pub(super) fn checks(prepared: &Prepared) -> Vec<Check> {
    let needed = Needed::of(prepared);
    let free = prepared.cache.free_bytes();
    let mut checks = vec![memory(prepared, &needed)];
    checks.extend(free.map(|free| disk(free, &needed)));
    checks.push(cpu(prepared));
    checks
}

/// What writing an image takes.
struct Needed {
    memory: u64,
    /// The object and the image lie side by side for a while.
    disk: u64,
    /// Whether that was seen in builds here, or is what is known of this Julia.
    is_measured: bool,
}

impl Needed {
    fn of(prepared: &Prepared) -> Self {
        let version = prepared.julia.facts.version.to_string();
        let entries = prepared.cache.list().entries.into_iter();
        let built = entries
            .filter(|listed| listed.entry.header.julia == version && listed.entry.header.image.is_some());
        let reports: Vec<Report> = built.filter_map(|listed| listed.entry.report().ok()).collect();
        // Nothing is known of what the machine needed that an image came from.
        let here = || reports.iter().filter(|report| report.pulled.is_none());
        // What this project needed, or else the most that any did.
        let own = here().find(|report| report.project == prepared.environment.project_file);
        let typical = own.or_else(|| here().max_by_key(|report| report.peak_memory_bytes));
        let base = prepared.julia.facts.base_image.metadata().map_or(0, |metadata| metadata.len());
        match typical {
            Some(report) => {
                Self { memory: report.peak_memory_bytes, disk: 2 * report.image_bytes, is_measured: true }
            }
            None => Self {
                memory: prepared.julia.differences().image_memory(),
                // Images are up to half as large again as the one that they are built on.
                disk: 3 * base,
                is_measured: false,
            },
        }
    }

    fn source(&self) -> &'static str {
        if self.is_measured { "as an earlier one here did" } else { "at least" }
    }
}

fn memory(prepared: &Prepared, needed: &Needed) -> Check {
    let Capacity { memory, cores } = Capacity::detect();
    let wanted = HumanBytes(needed.memory);
    if memory == u64::MAX {
        return Check::note("memory", format!("not known; writing an image takes {wanted}"));
    }
    let source = needed.source();
    let have = HumanBytes(memory);
    let what = format!("{have} free for {cores} processors; writing an image takes {wanted}, {source}");
    if memory >= needed.memory {
        return Check::ok("memory", what);
    }
    let quick = match prepared.julia.differences().has_startup_package() {
        true => ", or `jlsys build --quick`, which writes none",
        false => ", or build where there is more",
    };
    Check::warn("memory", what).advise(format!("end other programs{quick}"))
}

fn disk(free: u64, needed: &Needed) -> Check {
    let (have, wanted, source) = (HumanBytes(free), HumanBytes(needed.disk), needed.source());
    let source = if needed.is_measured { source } else { "about" };
    let what = format!("{have} free where the cache is; a build takes {wanted}, {source}");
    if free >= needed.disk {
        return Check::ok("disk", what);
    }
    Check::warn("disk", what)
        .advise("`jlsys cache gc --max-size SIZE`, or set JLSYS_CACHE_DIR to a folder on another disk")
}

fn cpu(prepared: &Prepared) -> Check {
    let target = &prepared.plan.cpu_target;
    let here = HostCpu::detect();
    if let Ok(Served::No(refusal)) = process::block_on(prepared.ask_for_target()) {
        return Check::fail("cpu", refusal.to_string());
    }
    let what = match prepared.inputs.host_cpu {
        Some(_) => format!("images are for CPUs like this one ({here}; target {target})"),
        None => format!("images are for more CPUs than this one (target {target})"),
    };
    match gave_way(prepared) {
        None => Check::ok("cpu", what),
        Some(refusal) => Check::warn(
            "cpu",
            format!("{what}; not {}: this Julia's own image has no code for them", refusal.target()),
        )
        .advise("sessions on other CPUs start plain Julia; with an official Julia images can be for all"),
    }
}

/// Why images are for this machine's CPUs alone, where nobody asked for that.
fn gave_way(prepared: &Prepared) -> Option<NoTarget> {
    let remembered = || match prepared.cache.serves(&prepared.julia, &CpuTarget::chosen_here()) {
        Served::No(refusal) if prepared.overrides.found_cpu_target == Some(CpuTarget::Native) => {
            Some(refusal)
        }
        _ => None,
    };
    prepared.gave_way.clone().or_else(remembered)
}
