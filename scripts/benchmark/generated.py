"""Generated projects: packages in a chain, each depending on the five before it."""

import hashlib
import json
from pathlib import Path


def package_names(number: int) -> list[str]:
    return [f"Grown{n:04}" for n in range(number)]


def write_project(folder: Path, sources: dict[str, str], kinds: list[str]):
    """Writes `folder/project`, which depends on the packages `folder/packages/NAME` with these sources."""
    project, manifest, names = "[deps]\n", "", list(sources)
    for n, (name, text) in enumerate(sources.items()):
        uuid = uuid_of(name)
        project += f'{name} = "{uuid}"\n'
        deps = json.dumps(names[max(0, n - 5):n])
        manifest += f'[[{name}]]\nuuid = "{uuid}"\nversion = "1.0.0"\npath = "../packages/{name}"\ndeps = {deps}\n\n'
        source = folder / "packages" / name / "src"
        source.mkdir(parents=True)
        (source / f"{name}.jl").write_text(text)
        (source.parent / "Project.toml").write_text(f'name = "{name}"\nuuid = "{uuid}"\nversion = "1.0.0"\n')
    (folder / "project").mkdir()
    (folder / "project/Project.toml").write_text(project)
    (folder / "project/Manifest.toml").write_text(manifest)
    # All of them are hashed, which packages from a registry are not.
    (folder / "project/jlsys.toml").write_text(
        f'cpu-target = "native"\ninclude = {json.dumps(names)}\n\n[workloads]\nkinds = {json.dumps(kinds)}\n'
    )


def uuid_of(name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
