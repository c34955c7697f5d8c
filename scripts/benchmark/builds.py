"""Building the project's image with each tool."""

import json
import os
import shutil
from pathlib import Path

from . import process
from .workspace import PACKAGES, Workspace

# PackageCompiler's code, its own dependencies, the project, the image, then the files to execute.
CREATE = """
push!(LOAD_PATH, ARGS[1])
append!(DEPOT_PATH, filter(isdir, split(get(ENV, "BENCH_DEPOTS", ""), ':')))
using PackageCompiler
length(ARGS) == 1 && exit()
names = Symbol.(split(ARGS[2], ','))
create_sysimage(names; project = ARGS[3], sysimage_path = ARGS[4], precompile_execution_file = ARGS[5:end])
# Its traces are removed when this process ends; since 2.0 they are in a folder. How many different statements there are in them:
files = [joinpath(folder, name) for (folder, _, names) in walkdir(tempdir()) for name in names]
traces = filter(file -> startswith(basename(file), "jl_"), files)
println(length(unique(filter(startswith("precompile("), reduce(vcat, readlines.(traces); init = String[])))))
"""

# A test suite as a file to execute. It runs in the folder that suites expect, and what it throws is printed: with an exception
# PackageCompiler would give up, while its statements up to there are of use.
EXECUTE = """
cd(raw"{folder}") do
    try
        include(raw"{folder}/runtests.jl")
    catch error
        showerror(stderr, error)
        println(stderr)
    end
end
"""


class Jlsys:
    """`jlsys build`."""

    name = "jlsys"

    def __init__(self, workspace: Workspace, program: Path):
        self.workspace, self.program = workspace, program
        self.env = workspace.environment(JULIA=str(workspace.julia), JLSYS_CACHE_DIR=str(workspace.folder / "cache"))

    def build(self, kind: str) -> dict:
        """One build. `cold` is with nothing in the cache; `unchanged` finds the image."""
        if kind == "cold":
            shutil.rmtree(self.workspace.folder / "cache", ignore_errors=True)
        log = self.workspace.folder / f"jlsys-{kind}.log"
        command = [self.program, "build", "--json", "--project", self.workspace.project]
        cost = process.run(command, self.env, log, watch=kind != "unchanged")
        if kind == "unchanged":
            return {"seconds": cost.seconds}
        report = json.loads(log.with_suffix(".out").read_text())
        if report["tier"] != "full":
            raise process.Failed(f"jlsys built an image of the tier {report['tier']}: {report['warnings']}")
        details = {name: report[name] for name in ["phases", "workloads", "statements", "warnings"]}
        for workload in details["workloads"]:
            workload.pop("log", None)
        image = Path(report["image"])
        return record(cost, image) | {"statements": report["statements"]["kept"], "report": details}

    def command(self) -> list:
        return [self.program, "run", "--project", self.workspace.project, "--"]


class PackageCompiler:
    """`create_sysimage` of a checkout of PackageCompiler.jl."""

    name = "packagecompiler"

    def __init__(self, workspace: Workspace, checkout: Path):
        self.workspace, self.checkout = workspace, checkout
        depots = os.environ.get("JULIA_DEPOT_PATH") or str(Path.home() / ".julia")
        self.env = workspace.environment(BENCH_DEPOTS=depots)
        self.image = workspace.folder / "packagecompiler.so"
        project = (checkout / "Project.toml").read_text()
        self.version = project.split('\nversion = "')[1].split('"')[0]

    def build(self, kind: str) -> dict:
        julia = [self.workspace.julia, "--startup-file=no", "-e", CREATE, self.checkout]
        log = self.workspace.folder / f"packagecompiler-{kind}.log"
        # Precompiling PackageCompiler itself is no part of a build.
        process.run(julia, self.env, log)
        # For its traces, and nothing else.
        temporary = self.workspace.folder / "packagecompiler-tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        command = [*julia, ",".join(PACKAGES), self.workspace.project, self.image, *self.files()]
        cost = process.run(command, self.env | {"TMPDIR": str(temporary)}, log, watch=True)
        statements = int(log.with_suffix(".out").read_text().split()[-1])
        return record(cost, self.image) | {"statements": statements}

    def files(self) -> list[Path]:
        folder = self.workspace.folder / "execution"
        folder.mkdir(exist_ok=True)
        files = []
        for name, tests in self.workspace.suites().items():
            files.append(folder / f"{name}.jl")
            files[-1].write_text(EXECUTE.format(folder=tests))
        return files

    def command(self) -> list:
        return [self.workspace.julia, "-J", self.image, f"--project={self.workspace.project}"]


class Plain:
    """Julia without an image of ours."""

    name = "plain"

    def __init__(self, workspace: Workspace):
        self.workspace, self.env = workspace, workspace.environment()

    def command(self) -> list:
        return [self.workspace.julia, f"--project={self.workspace.project}"]


def record(cost: process.Cost, image: Path) -> dict:
    return {
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "largest_process_bytes": cost.largest_process_bytes,
        "all_processes_bytes": cost.all_processes_bytes,
        "image_bytes": image.stat().st_size,
        "others_cores": cost.others_cores,
    }
