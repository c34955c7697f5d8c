//! Jupyter, and the kernelspecs that jlsys installed.

use std::ffi::OsStr;
use std::path::Path;

use super::check::Check;
use crate::kernel::{Found, JupyterFolders, Kernels};
use crate::process::{find_on_path, is_executable};

pub(super) fn checks() -> Vec<Check> {
    let kernels = Kernels::find(&JupyterFolders::of_this_process());
    let jupyter = find_on_path(OsStr::new("jupyter"));
    let mut checks = vec![match &jupyter {
        Some(program) => Check::ok("jupyter", program.display().to_string()),
        None => Check::note("jupyter", "not on PATH; that matters to notebooks only"),
    }];
    for problem in &kernels.problems {
        checks.push(Check::warn("kernel", problem.to_string()));
    }
    let visible: Vec<&Found> = kernels.visible().collect();
    let ours: Vec<Check> = visible.iter().filter_map(|kernel| of_ours(kernel)).collect();
    if ours.is_empty() && !visible.is_empty() {
        let names: Vec<&str> = visible.iter().map(|kernel| kernel.name.as_str()).collect();
        checks.push(
            Check::note("kernel", format!("starts plain Julia: {}", names.join(", ")))
                .advise("`jlsys kernel install` makes notebooks start with the image"),
        );
    } else if ours.is_empty() && jupyter.is_some() {
        checks.push(
            Check::note("kernel", "no Julia kernelspec")
                .advise("install IJulia, then `jlsys kernel install`"),
        );
    }
    checks.extend(ours);
    checks
}

/// Whether a kernelspec that jlsys installed still starts what it should.
fn of_ours(kernel: &Found) -> Option<Check> {
    let mark = kernel.state.mark()?;
    let Found { name, .. } = kernel;
    let again = "`jlsys kernel install` again";
    if !mark.jlsys_is_there() {
        let gone = format!("{name} starts plain Julia: jlsys is not at {} any more", mark.jlsys.display());
        return Some(Check::warn("kernel", gone).advise(again));
    }
    let julia_is_there = match mark.julia.contains('/') {
        true => is_executable(Path::new(&mark.julia)),
        false => find_on_path(OsStr::new(&mark.julia)).is_some(),
    };
    if !julia_is_there {
        let gone = format!("{name} does not start: there is no Julia at {}", mark.julia);
        return Some(
            Check::warn("kernel", gone)
                .advise(format!("install IJulia with the Julia that is there, then {again}")),
        );
    }
    if let Some(project) = mark.project.as_ref().filter(|project| !project.exists()) {
        let gone = format!("{name} starts plain Julia: its project {} is gone", project.display());
        return Some(Check::warn("kernel", gone).advise(format!("{again}, with another --project")));
    }
    Some(Check::ok("kernel", format!("{name} starts through {}", mark.jlsys.display())))
}
