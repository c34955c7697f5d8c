"""Running a command, and what it cost."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# How often the memory of a command's processes is looked at, in seconds. Adding up what a Julia of 2 GB has takes the kernel some 10 ms.
INTERVAL = 2.0
# How often its own processor time is: what it used after the last look is not counted.
OWN_INTERVAL = 0.05


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
    # The processor time of the command's own process, without those that it started; 0 where it was not watched.
    own_cpu_seconds: float
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
    peak, own_seconds = load.stop() if load else (0, 0.0)
    if process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))[:300]} ended with status {process.returncode}; its output is in {log}")
    own = usage.ru_utime + usage.ru_stime
    return Cost(seconds, own, usage.ru_maxrss * 1024, peak, own_seconds, max(busy - own, 0) / seconds)


def _busy_seconds() -> float:
    """The processor time that all processes of the machine have had since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class _Watcher:
    """Looks at a process while it runs (Linux): the memory of it and all its descendants, and its own processor time."""

    def __init__(self):
        self.peak, self.own_seconds = 0, 0.0
        self.ended = threading.Event()

    def start(self, pid: int):
        self.threads = [threading.Thread(target=look, args=[pid], daemon=True) for look in [self._memory, self._own]]
        for thread in self.threads:
            thread.start()

    def stop(self) -> tuple[int, float]:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        return self.peak, self.own_seconds

    def _memory(self, pid: int):
        took = 0.0
        # In a large process looking takes a while, for which that process waits in part: at most a fiftieth of the time.
        while not self.ended.wait(max(INTERVAL, 50 * took)):
            started = time.perf_counter()
            self.peak = max(self.peak, sum(map(_memory_of, _family(pid))))
            took = time.perf_counter() - started

    def _own(self, pid: int):
        while not self.ended.wait(OWN_INTERVAL):
            if fields := _stat(Path(f"/proc/{pid}")):
                self.own_seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            if fields := _stat(folder):
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = set(), [pid]
    while waiting:
        found.add(pid := waiting.pop())
        waiting += children.get(pid, [])
    return found


def _stat(folder: Path) -> list[str]:
    """What the kernel says of a process, behind its name, which may hold anything: state, parent, …; nothing when it is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _memory_of(pid: int) -> int:
    """The proportional set size: pages that several processes share are counted once in all."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
