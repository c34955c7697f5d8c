"""The project that is measured, in a folder of its own: depot, home, packages, versions.

The packages are those of the standard library that Julia itself brings (with their test suites) and the demo's TextFrames, which
is installed in the depot as `Pkg.add` leaves it, so that it has a version that can change. No network is needed.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OWN_PACKAGE = REPOSITORY / "examples/binder/TextFrames"
OWN_NAME = "TextFrames"
OWN_UUID = "5a1d2c84-6f0e-4b7b-9d35-0c8e7e4f21ab"

# The project's direct dependencies. The suites of the last two run for more than ten minutes each, on sizes and element types that
# hardly anybody uses: neither tool runs them.
PACKAGES = ["Dates", "DelimitedFiles", "Markdown", "Printf", "Random", "Statistics", OWN_NAME, "LinearAlgebra", "SparseArrays"]
WITHOUT_TESTS = ["LinearAlgebra", "SparseArrays"]

VERSIONS = {"before": "0.1.0", "after": "0.1.1"}

# What Julia has to be asked: its version and where its standard library is, with the UUIDs and dependencies in it.
ASK = """
using Pkg
parse_toml = isdefined(Pkg.Types, :parse_toml) ? Pkg.Types.parse_toml : Pkg.TOML.parsefile
println(VERSION)
println(Sys.STDLIB)
for name in readdir(Sys.STDLIB)
    file = joinpath(Sys.STDLIB, name, "Project.toml")
    isfile(file) || continue
    project = parse_toml(file)
    println(join([name; project["uuid"]; get(project, "version", "-"); sort!(collect(keys(get(project, "deps", Dict()))))], ' '))
end
"""

# How Julia names an installed package's folder: by the hash of its content.
HASH = """
using Pkg
tree = Base.SHA1(Pkg.GitTools.tree_hash(ARGS[1]))
println(tree, ' ', Base.version_slug(Base.UUID(ARGS[2]), tree))
"""


@dataclass
class Stdlib:
    uuid: str
    version: str | None
    deps: list[str]


@dataclass
class Workspace:
    """A Julia, and the folder in which everything is made."""

    folder: Path
    julia: Path
    quick: bool
    version: str = ""
    stdlib_folder: Path = Path()
    stdlibs: dict[str, Stdlib] = field(default_factory=dict)

    def __post_init__(self):
        for name in ["home", "depot", "project"]:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # Where there is none at all, Pkg clones the General registry.
        registry = self.depot / "registries/Empty/Registry.toml"
        registry.parent.mkdir(parents=True, exist_ok=True)
        registry.write_text('name = "Empty"\nuuid = "6a6c7379-7300-4000-8000-656d70747921"\nrepo = ""\n\n[packages]\n')
        version, stdlib, *packages = self.ask(ASK).splitlines()
        self.version, self.stdlib_folder = version, Path(stdlib)
        for name, uuid, version, *deps in map(str.split, packages):
            self.stdlibs[name] = Stdlib(uuid, None if version == "-" else version, deps)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def depot(self) -> Path:
        return self.folder / "depot"

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that every process gets: nothing of this machine's user is around it."""
        kept = {name: os.environ[name] for name in ["PATH", "LANG", "TMPDIR", "JULIA_CC"] if name in os.environ}
        # Julia's own depots come behind, where the standard library's caches are from 1.9 on.
        ours = {"HOME": str(self.folder / "home"), "JULIA_DEPOT_PATH": f"{self.depot}:", "JULIA_PKG_OFFLINE": "true", "JULIA_PKG_SERVER": ""}
        return kept | ours | more

    def ask(self, code: str, *arguments: str) -> str:
        command = [str(self.julia), "--startup-file=no", "-e", code, *arguments]
        return subprocess.run(command, env=self.environment(), check=True, capture_output=True, text=True).stdout

    def write_project(self, which: str):
        """Puts the project into the state `before` or `after` the package's new version."""
        version = VERSIONS[which]
        tree = self.install(version)
        deps = self.closure()
        uuids = {name: stdlib.uuid for name, stdlib in self.stdlibs.items()} | {OWN_NAME: OWN_UUID}
        lines = [f'{name} = "{uuids[name]}"' for name in sorted(PACKAGES)]
        (self.project / "Project.toml").write_text("[deps]\n" + "\n".join(lines) + "\n")
        # Format 2 came with Julia 1.7.
        prefix = "deps." if self.minor >= 7 else ""
        manifest = f'julia_version = "{self.version}"\nmanifest_format = "2.0"\n\n' if prefix else ""
        for name in sorted(deps):
            manifest += f'[[{prefix}{name}]]\nuuid = "{uuids[name]}"\n'
            if deps[name]:
                manifest += f"deps = {json.dumps(deps[name])}\n"
            if name == OWN_NAME:
                manifest += f'version = "{version}"\ngit-tree-sha1 = "{tree}"\n'
            elif prefix and self.stdlibs[name].version:
                manifest += f'version = "{self.stdlibs[name].version}"\n'
            manifest += "\n"
        (self.project / "Manifest.toml").write_text(manifest)
        kinds = ["load"] if self.quick else ["load", "tests"]
        (self.project / "jlsys.toml").write_text(
            f'cpu-target = "native"\n\n[workloads]\nkinds = {json.dumps(kinds)}\nskip-tests = {json.dumps(WITHOUT_TESTS)}\n'
        )

    def closure(self) -> dict[str, list[str]]:
        """Every package of the manifest, with its dependencies."""
        own = (OWN_PACKAGE / "Project.toml").read_text().split("[deps]")[1].split("[")[0]
        found: dict[str, list[str]] = {OWN_NAME: sorted(line.split()[0] for line in own.splitlines() if "=" in line)}
        waiting = [name for name in PACKAGES if name != OWN_NAME] + found[OWN_NAME]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.stdlibs[name].deps
                waiting += found[name]
        return found

    def install(self, version: str) -> str:
        """Puts a version of our package into the depot; returns its tree hash."""
        unpacked = self.folder / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        shutil.copytree(OWN_PACKAGE, unpacked)
        project = unpacked / "Project.toml"
        project.write_text(project.read_text().replace('version = "0.1.0"', f'version = "{version}"'))
        if version != "0.1.0":
            # As a small release would: one method more, which the module uses.
            main = unpacked / "src/TextFrames.jl"
            added = f'\n"The release, for bug reports."\nrelease() = v"{version}"\n\nend\n'
            main.write_text(main.read_text().removesuffix("\nend\n") + added)
        tree, slug = self.ask(HASH, str(unpacked), OWN_UUID).split()
        target = self.depot / "packages" / OWN_NAME / slug
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            unpacked.rename(target)
        shutil.rmtree(unpacked, ignore_errors=True)
        return tree

    def forget_precompiled(self):
        """What is precompiled is forgotten before each build, so that no tool finds what another one paid for."""
        for folder in self.depot.glob(f"compiled/v*/{OWN_NAME}"):
            shutil.rmtree(folder)

    def suites(self) -> dict[str, Path]:
        """The folder with `runtests.jl` of each package whose tests are a workload."""
        folders = {}
        for name in PACKAGES:
            if self.quick or name in WITHOUT_TESTS:
                continue
            # The version in the manifest is the one that Julia finds; all versions have the same tests.
            package = next((self.depot / "packages" / OWN_NAME).iterdir()) if name == OWN_NAME else self.stdlib_folder / name
            if (package / "test/runtests.jl").is_file():
                folders[name] = package / "test"
        return folders
