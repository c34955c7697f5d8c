"""Julia sessions with each image and without: start-up, loading, the held-out script."""

from pathlib import Path

from . import process
from .workspace import PACKAGES, Workspace

HELD_OUT = Path(__file__).with_name("held_out.jl")
# What takes tenths of a second is done more often: other work on the machine moves it more.
SHORT, REPEATED = ["start", "load"], 3
SESSIONS = {
    "start": ["-e", "0"],
    "load": ["-e", "using " + ", ".join(PACKAGES)],
    "held_out": [HELD_OUT],
}


def measure_once(workspace: Workspace, tools: list, seconds: dict):
    """One round: every session with every tool, in turn. Appends to `seconds[session][tool]`."""
    rounds = [name for name in SESSIONS for _ in range(REPEATED if name in SHORT else 1)]
    for session in rounds:
        for tool in tools:
            arguments = SESSIONS[session]
            cost = process.run([*tool.command(), "--startup-file=no", *arguments], tool.env, log(workspace, session, tool))
            seconds.setdefault(session, {}).setdefault(tool.name, []).append(cost.seconds)


def count_compiled(workspace: Workspace, tools: list) -> dict[str, int]:
    """How many statements each still compiles for the held-out script. What it prints must be the same everywhere."""
    counts, outputs = {}, {}
    for tool in tools:
        trace = workspace.folder / f"held-out-{tool.name}.jl"
        out = log(workspace, "held_out", tool)
        process.run([*tool.command(), "--startup-file=no", f"--trace-compile={trace}", HELD_OUT], tool.env, out)
        counts[tool.name] = len(trace.read_text().splitlines())
        outputs[tool.name] = out.with_suffix(".out").read_text()
    if len(set(outputs.values())) != 1 or not outputs["plain"].strip():
        raise process.Failed(f"the held-out script prints something else with another image: see {workspace.folder}/held_out-*.out")
    return counts


def log(workspace: Workspace, session: str, tool) -> Path:
    return workspace.folder / f"{session}-{tool.name}.log"
