"""Compiled files of a million and ten million bindings: how soon they are live, what they take, what a reload takes."""

import os
import subprocess
import time
import urllib.request
from pathlib import Path

from . import world
from .figures import Figures
from .process import BOTH, Failed, Server, Tools, bench, pinned, sidegate, wait_for
from .report import Row

SIZES = {"1 M": 1_000_000, "10 M": 10_000_000}
BUDGET = {"1 M": 0.1, "10 M": 1.0}
SHORT = {"30 k": 30_000}


def metric(server: Server, name: str) -> float:
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://{server.ops}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{"))]
    if not values:
        raise Failed(f"no metric {name}")
    return sum(values)


def large(tools: Tools, size: int) -> tuple[Path, int]:
    """A world of so many bindings, compiled as two sequences; and the bytes of its ids."""
    directory = tools.scratch / f"bindings-{size}"
    ids = world.write(directory, size // 3, max(1, size // 30))
    print(f"    {size:,} bindings written; compiling", flush=True)
    names = {1: "world.sgate", 2: "again.sgate"}
    children = [subprocess.Popen(pinned(BOTH, [tools.sidegate, "compile", directory / "source", "-o", directory / name,
                                               "--sequence", sequence]),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for sequence, name in names.items()]
    if any([child.wait() for child in children]):
        raise Failed("the compiler refuses the world")
    (directory / "source/facts.jsonl").unlink()
    return directory, ids


def replace(live: Path, new: Path) -> None:
    """Renames a link to the file into place, as a writer of whole files does."""
    following = live.with_name("following")
    # Renaming a file onto another name of the same file does nothing, and leaves both.
    following.unlink(missing_ok=True)
    os.link(new, following)
    os.rename(following, live)


def wait_until(what: str, holds, patience: float = 60.0) -> float:
    begun = time.monotonic()
    while not holds():
        if time.monotonic() > begun + patience:
            raise Failed(f"waited in vain: {what}")
        time.sleep(0.005)
    return time.monotonic() - begun


def loading(tools: Tools, small: Path) -> tuple[list[Row], dict]:
    """From a compiled file in the page cache to answers, and a reload of it under the same roof."""
    rows, raw = [], {}
    for name, size in (SHORT if tools.short else SIZES).items():
        directory, ids = large(tools, size)
        tools.worlds[name] = directory
        runs = [load(tools, directory) for _ in range(min(tools.rounds, 5))]
        raw[name] = {"runs": runs, "ids": ids}
        file = (directory / "world.sgate").stat().st_size
        live = Figures([run["load_seconds"] * 1e3 for run in runs])
        budget = BUDGET.get(name, 1.0) * 1e3
        rows.append(Row(f"live-{size}", f"compiled file, {name} bindings, to live", "–", f"≤ {budget:.0f} ms",
                        f"{live.text('{:.0f}')} ms", live.median <= budget))
        if size != max(SIZES.values()) and not tools.short:
            continue
        resident = Figures([run["resident"] / file for run in runs])
        beside = Figures([(run["resident"] - ids) / size for run in runs])
        peak = Figures([run["peak"] / file for run in runs])
        rows += [
            Row("resident", f"resident, {name} bindings ({file / 2**20:.0f} MiB of file)", "–",
                "≤ 1.3 × the file", f"{resident.text()} ×", resident.median <= 1.3),
            Row("beside", "resident beside the ids, a binding", "–", "≤ 40 bytes", f"{beside.text('{:.1f}')} bytes",
                beside.median <= 40),
            Row("peak", "peak during a reload of it", "–", "≤ 2.2 × the file", f"{peak.text()} ×", peak.median <= 2.2),
        ]
    return rows, raw


def load(tools: Tools, directory: Path) -> dict:
    """A start, a look at its memory, and a reload."""
    live = directory / "live/live.sgate"
    live.parent.mkdir(exist_ok=True)
    live.unlink(missing_ok=True)
    os.link(directory / "world.sgate", live)
    # What is written last is in the page cache; a read makes it so for all.
    subprocess.run(["cat", live], stdout=subprocess.DEVNULL, check=True)
    # Nobody asks meanwhile, so it may have what it would have.
    with sidegate(tools, live, core=BOTH) as server:
        begun = time.monotonic()
        wait_until("it is ready", lambda: is_ready(server))
        ready = time.monotonic() - begun
        wait_for(tools, server, directory / "any.jsonl")
        found = {"load_seconds": metric(server, "sidegate_snapshot_load_seconds"), "ready_seconds": ready,
                 "resident": server.kib("VmRSS") * 1024}
        server.forget_peak()
        replace(live, directory / "again.sgate")
        found["reload_seconds"] = wait_until("the reload", lambda: metric(server, "sidegate_snapshot_sequence") == 2)
        time.sleep(0.2)
        found["peak"] = server.kib("VmHWM") * 1024
        found["resident_after_reload"] = server.kib("VmRSS") * 1024
        bench(tools, server.address, directory / "questions.jsonl", count=20_000)
        return found


def is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"http://{server.ops}/readyz", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
