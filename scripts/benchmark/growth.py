"""How jlsys's own share of a build grows with packages, statements and the image's size.

In the place of Julia and the linker stand scripts that answer at once, as what they stand for would: everything that takes time
is jlsys. No Julia is needed.
"""

import random
import shutil
from pathlib import Path
from statistics import median

from . import process
from .generated import package_names, write_project

PACKAGES = [5, 20, 50, 500]
STATEMENTS = [1_000, 5_000, 20_000, 80_000]
IMAGES = [50, 100, 200, 400]  # MB
# What the others are while one grows.
USUAL = {"packages": 20, "statements": 5_000, "image": 50}

# What jlsys starts, by the arguments that it gives; see the drivers' first lines for what each writes.
JULIA = r"""#!/bin/sh
folder='{folder}'
trace= out= driver=
for arg; do
    case $arg in
    --trace-compile=*) trace=${{arg#*=}} ;;
    --output-o=*) out=${{arg#*=}} ;;
    */probe.jl) cat "$folder/answer"; exit ;;
    esac
done
[ -z "$trace" ] || cp "$folder/trace.jl" "$trace"
if [ -n "$out" ]; then
    shift $(($# - 6))
    until [ -e "$4" ]; do sleep 0.01; done
    sed 's/\t.*/\tok/' "$2" >"$5"
    n=$(wc -l <"$3")
    printf 'line %010d\nfinished 1\ncompiled %d\nfalse 0\nthrew 0\nseconds 0.1\n' "$n" "$n" >"$6"
    echo object >"$out"
else
    shift $(($# - 2))
    sed 's/\t.*/\tok/' "$1" >"$2"
    printf 'program\tok\n' >>"$2"
fi
"""
LINKER = r"""#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
cp '{folder}/image' "$out"
"""
ANSWER = """version\t1.5.3
commit\t
executable\t{folder}/julia
base-image\t{folder}/stock
stdlib\t{folder}/stdlib
os\tLinux
arch\tx86_64
word-size\t64
library\t{folder}/stock
end\tof the answer
"""
ARGUMENTS = [
    "Array{Float64, 1}", "Int64", "String", "Base.Dict{Symbol, Any}", "NamedTuple{(:a, :b, :c), Tuple{Int64, Float64, String}}",
    "Base.IOContext{Base.PipeEndpoint}", "Array{Union{Base.Missing, Float64}, 2}", "Base.Val{:yyyy}", "Type{Base.Set{T} where T}",
    "Base.Broadcast.Broadcasted{Base.Broadcast.DefaultArrayStyle{1}, Nothing, typeof(Base.:(+)), Tuple{Array{Float64, 1}, Int64}}",
    "Base.Val{Char(0x79000000)}", "Base.Val{1.5f}", "Base.SubArray{Float64, 1, Array{Float64, 2}, Tuple{Base.Slice{Base.OneTo{Int64}}, Int64}, true}",
]


def measure(program: Path, work: Path, runs: int) -> list[dict]:
    """Seconds of a build and of finding what it built, for each size. One thing grows at a time."""
    rows = []
    for what, sizes in [("packages", PACKAGES), ("statements", STATEMENTS), ("image", IMAGES)]:
        for size in sizes:
            folder = work / "growth"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            env = write(folder, **(USUAL | {what: size}))
            build, found = [], []
            for _ in range(runs):
                shutil.rmtree(folder / "cache", ignore_errors=True)
                # The answer of the probe is there before, as it is in every build but a Julia's first.
                process.run([program, "cache", "list"], env, folder / "log")
                try:
                    process.run([program, "status"], env, folder / "log", cwd=folder / "project")
                except process.Failed:
                    pass  # there is no image
                build.append(process.run([program, "build", "--quiet"], env, folder / "log", cwd=folder / "project"))
                found.append(process.run([program, "build", "--quiet"], env, folder / "log", cwd=folder / "project"))
            rows.append({
                "what": what,
                "size": size,
                "seconds": median(cost.seconds for cost in build),
                "cpu_seconds": median(cost.cpu_seconds for cost in build),
                "found_seconds": median(cost.seconds for cost in found),
            })
            shutil.rmtree(folder)
    return rows


def write(folder: Path, packages: int, statements: int, image: int) -> dict[str, str]:
    """A project of this size with everything that stands in for Julia; returns the variables to run jlsys with."""
    names = package_names(packages)
    for name in ["home", "stdlib"]:
        (folder / name).mkdir()
    for name, text in [("julia", JULIA), ("cc", LINKER)]:
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    (folder / "answer").write_text(ANSWER.format(folder=folder))
    (folder / "stock").write_bytes(b"stock")
    chunk = random.Random(1).randbytes(1_000_000)
    with (folder / "image").open("wb") as file:
        for _ in range(image):
            file.write(chunk)

    write_project(folder, {name: f"module {name}\nend\n" + "# a comment\n" * 200 for name in names}, ["load"])

    choose = random.Random(2)
    with (folder / "trace.jl").open("w") as file:
        for n in range(statements):
            # Every tenth is a line that was there before, as in traces of several suites.
            number = n if n % 10 else n // 2
            arguments = ", ".join(choose.choices(ARGUMENTS, k=choose.randint(1, 5)))
            file.write(f"precompile(Tuple{{typeof({choose.choice(names)}.f{number}), {arguments}}})\n")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "JULIA": str(folder / "julia"),
        "JULIA_CC": str(folder / "cc"),
        "JLSYS_CACHE_DIR": str(folder / "cache"),
        "JULIA_DEPOT_PATH": str(folder / "depot"),
    }


def markdown(rows: list[dict]) -> str:
    """The table. Where a step grew faster than its input, what each more costs would rise with the size."""
    lines = ["| | build (s) | processor (s) | each more (µs) | found again (ms) |", "| --- | ---: | ---: | ---: | ---: |"]
    last = None
    for row in rows:
        each = ""
        if last and last["what"] == row["what"]:
            each = f"{(row['cpu_seconds'] - last['cpu_seconds']) / (row['size'] - last['size']) * 1e6:.1f}"
        last = row
        size = f"{row['size']} MB" if row["what"] == "image" else f"{row['size']:,}"
        lines.append(
            f"| {row['what']}: {size} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} | {each} | {row['found_seconds'] * 1000:.1f} |"
        )
    return "\n".join(lines)
