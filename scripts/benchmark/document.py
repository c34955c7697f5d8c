"""The measurements as one JSON document: what is kept from run to run, and the figures that are read from it."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SCHEMA = 1
TOOLS = ["plain", "packagecompiler", "jlsys"]


@dataclass
class Figure:
    """One row: a measure, what each tool has (None: does not apply), and what is asked of jlsys, if anything."""

    title: str
    # `s`, `ms`, `MB` or nothing; values are in this unit.
    unit: str
    values: dict[str, float | None]
    # How much of PackageCompiler's figure jlsys may have.
    at_most: float | None = None
    # Or how much of its own unit.
    limit: float | None = None
    # Whether one tool's figure says anything beside another's.
    compares: bool = True

    @property
    def ratio(self) -> float | None:
        """jlsys's figure as a part of PackageCompiler's."""
        ours, theirs = self.values.get("jlsys"), self.values.get("packagecompiler")
        return ours / theirs if self.compares and ours is not None and theirs else None

    @property
    def is_met(self) -> bool | None:
        """Whether jlsys is as good as is asked; None where nothing is, or it was not measured."""
        if self.limit is not None and self.values.get("jlsys") is not None:
            return self.values["jlsys"] <= self.limit
        if self.at_most is not None and self.ratio is not None:
            return round(self.ratio, 2) <= self.at_most
        return None


def load(file: Path) -> dict:
    try:
        document = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is no JSON document: {error}") from error
    if document.get("schema") != SCHEMA:
        raise ValueError(f"{file} has the schema {document.get('schema')}, this script reads {SCHEMA}")
    return document


def save(file: Path, document: dict):
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(document, indent=1) + "\n")
    unfinished.rename(file)


def figures(document: dict) -> list[Figure]:
    """The rows of the table; those that nothing was measured for yet are left out."""

    def of_builds(kind: str, measure: str, scale: float) -> dict[str, float | None]:
        values = {}
        for tool in TOOLS:
            measured = [b[measure] for b in document["builds"] if b["tool"] == tool and b["kind"] == kind and b.get(measure)]
            values[tool] = median(measured) / scale if measured else None
        return values

    def of_sessions(session: str) -> dict[str, float | None]:
        times = document["sessions"].get(session, {})
        return {tool: median(times[tool]) if times.get(tool) else None for tool in TOOLS}

    mega = 1e6
    unchanged = of_builds("unchanged", "seconds", 0.001)
    cold = of_builds("cold", "seconds", 1)
    rows = [
        Figure("build, nothing cached", "s", cold, at_most=0.8),
        Figure("– processor time", "s", of_builds("cold", "cpu_seconds", 1)),
        Figure("– cores that other work kept busy", "cores", of_builds("cold", "others_cores", 1), compares=False),
        Figure("build after a package's new version", "s", of_builds("bumped", "seconds", 1), at_most=0.5),
        Figure("– processor time", "s", of_builds("bumped", "cpu_seconds", 1)),
        Figure("build, nothing changed", "ms", unchanged, limit=20),
        Figure("memory, largest process", "MB", of_builds("cold", "largest_process_bytes", mega), at_most=1.0),
        Figure("memory, all processes at once", "MB", of_builds("cold", "all_processes_bytes", mega)),
        Figure("image", "MB", of_builds("cold", "image_bytes", mega), at_most=1.0),
        Figure("– statements it was given", "", of_builds("cold", "statements", 1)),
        Figure("start-up (`-e 0`)", "s", of_sessions("start")),
        Figure("loading all packages", "s", of_sessions("load")),
        Figure("held-out script", "s", of_sessions("held_out"), at_most=1.0),
        Figure("– statements it still compiles", "", {tool: document["compiled"].get(tool) for tool in TOOLS}, at_most=0.99),
    ]
    return [row for row in rows if any(value is not None for value in row.values.values())]


def markdown(document: dict) -> str:
    """The table, and under it what it was measured on."""
    lines = ["| | plain Julia | PackageCompiler | jlsys | jlsys / PackageCompiler |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in figures(document):
        cells = [number(row.values[tool], row.unit) for tool in TOOLS]
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        if row.is_met is not None:
            asked = f"≤ {row.limit:g} {row.unit}" if row.limit is not None else f"≤ {row.at_most:g}"
            ratio += f" ({'' if row.is_met else 'not '}{asked})" if ratio else f"{'' if row.is_met else 'not '}{asked}"
        lines.append(f"| {row.title} | {' | '.join(cells)} | {ratio} |")
    return "\n".join([*lines, "", circumstances(document)])


def circumstances(document: dict) -> str:
    machine, runs = document["machine"], document["sessions"].get("held_out", {}).get("plain", [])
    builds = [b for b in document["builds"] if b["kind"] == "cold"]
    others = sorted(b["others_cores"] for b in document["builds"] if "others_cores" in b)
    suites = ", ".join(document["suites"]) or "none, packages are only loaded"
    text = f"Measured on {document['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB; "
    text += f"Julia {document['julia']}, PackageCompiler {document['packagecompiler']}, jlsys {document['jlsys']}. "
    text += f"Test suites: {suites}. Medians of {len(builds) // 2 or 1} build{'s' if len(builds) > 3 else ''} each "
    text += f"and of {len(runs)} rounds of sessions, in turn."
    if others:
        text += f" Meanwhile other work kept {others[0]:.1f} to {others[-1]:.1f} cores busy."
    return text


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    digits = f"{value:.0f}" if not unit or value >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".strip()
