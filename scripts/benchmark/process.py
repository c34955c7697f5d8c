"""Running a command, and what it cost."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# How often a command's processes are looked at, in seconds. Adding up what a Julia of 2 GB has takes the kernel some 10 ms.
INTERVAL = 2.0


class Failed(Exception):
    """A command ended with another status than 0."""


@dataclass
class Cost:
    seconds: float
    cpu_seconds: float
    # The largest process, as wait4 tells for everything that was waited for.
    largest_process_bytes: int
    # All processes at once, shared pages counted once; 0 where it was not watched.
    all_processes_bytes: int
    # How many cores everything else on the machine kept busy meanwhile: what was measured had to do without them.
    others_cores: float


def run(command: list, env: dict[str, str], log: Path, cwd: Path | None = None, watch: bool = False) -> Cost:
    """Runs a command to its end. `log` takes standard error, and the file beside it that ends in `.out` standard output."""
    with log.open("wb") as err, log.with_suffix(".out").open("wb") as out:
        load = _Watcher() if watch else None
        busy_before = _busy_seconds()
        started = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        if load:
            load.start(process.pid)
        try:
            # It is reaped here, for the usage of its whole family, and not by Popen.
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.terminate()
            raise
        seconds = time.perf_counter() - started
        busy = _busy_seconds() - busy_before
        process.returncode = os.waitstatus_to_exitcode(status)
    peak = load.stop() if load else 0
    if process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))[:300]} ended with status {process.returncode}; its output is in {log}")
    own = usage.ru_utime + usage.ru_stime
    return Cost(seconds, own, usage.ru_maxrss * 1024, peak, max(busy - own, 0) / seconds)


def _busy_seconds() -> float:
    """The processor time that all processes of the machine have had since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class _Watcher:
    """Adds up, every few seconds, the memory of a process and all its descendants (Linux)."""

    def __init__(self):
        self.peak = 0
        self.ended = threading.Event()

    def start(self, pid: int):
        self.thread = threading.Thread(target=self._watch, args=[pid], daemon=True)
        self.thread.start()

    def stop(self) -> int:
        self.ended.set()
        self.thread.join()
        return self.peak

    def _watch(self, pid: int):
        while not self.ended.wait(INTERVAL):
            self.peak = max(self.peak, sum(map(_memory_of, _family(pid))))


def _family(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # Behind the name, which may hold anything: state, parent.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = set(), [pid]
    while waiting:
        found.add(pid := waiting.pop())
        waiting += children.get(pid, [])
    return found


def _memory_of(pid: int) -> int:
    """The proportional set size: pages that several processes share are counted once in all."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
