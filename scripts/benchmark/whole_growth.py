"""How whole builds grow with packages and statements, and what part of them is jlsys's own: real Julia, generated packages.

Every function of the packages is another one, and a script calls each once: so many statements are traced, and so much code is in
the image.
"""

import json
import shutil
from pathlib import Path

from . import process
from .generated import package_names, write_project

PACKAGES = [5, 20, 50]
STATEMENTS = [1_000, 5_000, 20_000]
# What the other is while one grows.
USUAL = {"packages": 20, "statements": 5_000}

# What a function that is compiled for one call is like: a loop, numbers, text, a collection.
FUNCTION = """
function f{n}(values::Vector{{Float64}}, label::String)
    total, seen = {n}.0, Dict{{Int,Float64}}()
    for (i, value) in enumerate(values)
        total += i % {modulus} == 0 ? sqrt(abs(value)) : value / {n}
        seen[i] = total
    end
    return isempty(seen) ? label : string(label, ' ', length(seen), ' ', total)
end
"""

SCRIPT = """
for package in [{names}], f in package.ALL
    f([1.0, 2.0, 3.0], "called")
end
"""


def measure(program: Path, julia: Path, work: Path) -> list[dict]:
    """One build for each size, each with nothing cached."""
    sizes = [USUAL | {"packages": n} for n in PACKAGES] + [USUAL | {"statements": n} for n in STATEMENTS]
    rows = []
    for size in sizes:
        known = next((row for row in rows if row["size"] == size), None)
        rows.append(known or build(program, julia, work / "whole-growth", **size))
        print(f"{size}: {rows[-1]['seconds']:.0f} s", flush=True)
    return rows


def build(program: Path, julia: Path, folder: Path, packages: int, statements: int) -> dict:
    shutil.rmtree(folder, ignore_errors=True)
    for name in ["home", "depot"]:
        (folder / name).mkdir(parents=True)
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "JULIA": str(julia),
        "JLSYS_CACHE_DIR": str(folder / "cache"),
        "JULIA_DEPOT_PATH": f"{folder}/depot:",
        "JULIA_PKG_OFFLINE": "true",
        "JULIA_PKG_SERVER": "",
    }
    names = package_names(packages)
    write_project(folder, {name: source(name, names, n, statements) for n, name in enumerate(names)}, ["load", "scripts"])
    script = "using " + ", ".join(names) + SCRIPT.format(names=", ".join(names))
    (folder / "project/precompile.jl").write_text(script)
    log = folder / "build.log"
    cost = process.run([program, "build", "--json"], env, log, cwd=folder / "project", watch=True)
    report = json.loads(log.with_suffix(".out").read_text())
    if report["tier"] != "full":
        raise process.Failed(f"jlsys built an image of the tier {report['tier']}: {report['warnings']}")
    row = {
        "size": {"packages": packages, "statements": statements},
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "own_cpu_seconds": cost.own_cpu_seconds,
        "largest_process_bytes": cost.largest_process_bytes,
        "image_bytes": Path(report["image"]).stat().st_size,
        "compiled": report["statements"]["compiled"],
        "phases": report["phases"],
    }
    shutil.rmtree(folder)
    return row


def source(name: str, names: list[str], number: int, statements: int) -> str:
    """A package's module. Together they have as many functions as there are to be statements."""
    first, after = (statements * n // len(names) for n in (number, number + 1))
    functions = [FUNCTION.format(n=n + 1, modulus=n % 7 + 2) for n in range(first, after)]
    every = ", ".join(f"f{n + 1}" for n in range(first, after))
    loads = "".join(f"using {other}\n" for other in names[max(0, number - 5):number])
    return f"module {name}\n{loads}{''.join(functions)}\nconst ALL = Any[{every}]\nend\n"


def markdown(rows: list[dict]) -> str:
    """The table: seconds of each part, and jlsys's own."""
    phases = list(dict.fromkeys(phase["name"] for row in rows for phase in row["phases"]))
    titles = ["packages", "statements", "build (s)", *[f"{name} (s)" for name in phases], "processor (s)", "jlsys's own (s)", "of it", "image (MB)"]
    lines = ["| " + " | ".join(titles) + " |", "| " + " | ".join("---:" for _ in titles) + " |"]
    for row in rows:
        times = {phase["name"]: phase["seconds"] for phase in row["phases"]}
        cells = [f"{row['size']['packages']}", f"{row['compiled']:,}", f"{row['seconds']:.0f}"]
        cells += [f"{times[name]:.1f}" if name in times else "–" for name in phases]
        own = row["own_cpu_seconds"]
        cells += [f"{row['cpu_seconds']:.0f}", f"{own:.2f}", f"{own / row['cpu_seconds']:.1%}", f"{row['image_bytes'] / 1e6:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
