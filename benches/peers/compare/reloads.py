"""What reloads cost those who ask meanwhile, and how soon a change is served."""

import os
import subprocess
import threading
import time
from pathlib import Path

from . import world
from .figures import Figures, ratios
from .loading import metric, replace, wait_until
from .process import Failed, Server, Tools, bench, sidegate, wait_for, warm
from .report import Row

HERTZ = 10.0
OPEN = ("--connections", "4", "--in-flight", "128")


def compiled(tools: Tools, bindings: int) -> Path:
    """A world in two versions that answer alike: `1.sgate` and, with one user more, `2.sgate`."""
    directory = tools.scratch / f"reloads-{bindings}"
    world.write(directory, bindings // 3, max(1, bindings // 30))
    compile_to(tools, directory, "1.sgate")
    with open(directory / "source/facts.jsonl", "a") as facts:
        facts.write('{"kind":"subject","id":"user/more"}\n')
    compile_to(tools, directory, "2.sgate")
    return directory


def compile_to(tools: Tools, directory: Path, name: str) -> None:
    subprocess.run([tools.sidegate, "compile", directory / "source", "-o", directory / name], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def open_loop(tools: Tools, address: str, questions: Path, rate: float, seconds: float) -> dict:
    """Calls that are due at equal distances; times count from when they were due."""
    outcome = bench(tools, address, questions, "--rate", f"{rate:.0f}", *OPEN, count=round(rate * seconds))
    if outcome["unsent"]:
        raise Failed(f"{outcome['unsent']} calls were never sent: half of what it bears is too much")
    return outcome


def half_capacity(tools: Tools, server: Server, questions: Path) -> float:
    """Half of what four callers get who ask one thing after another. In an open loop calls come alone, too: what is borne
    where many are read and written together is more than twice that, and half of it would already be a queue."""
    return warm(tools, server, questions, "--connections", "4", "--in-flight", "1", window=1.0) / 2


def reloads(tools: Tools, small: Path) -> tuple[list[Row], dict]:
    """An open loop at half of what the daemon bears, with ten reloads a second of 100 k bindings, and without."""
    directory = compiled(tools, 3_000 if tools.short else 100_000)
    live = directory / "live/live.sgate"
    live.parent.mkdir()
    os.link(directory / "1.sgate", live)
    questions, pairs, done = directory / "questions.jsonl", [], []
    seconds = 1.0 if tools.short else 5.0
    with sidegate(tools, live) as server:
        wait_for(tools, server, questions)
        rate = half_capacity(tools, server, questions)
        for number in range(tools.rounds):
            pair = {}
            for kind in (("steady", "reloading") if number % 2 == 0 else ("reloading", "steady")):
                before, over = metric(server, APPLIED), threading.Event()
                writer = threading.Thread(target=rewrite, args=(directory, live, over))
                if kind == "reloading":
                    writer.start()
                begun = time.monotonic()
                pair[kind] = open_loop(tools, server.address, questions, rate, seconds)
                if kind == "reloading":
                    over.set()
                    writer.join()
                    done.append((metric(server, APPLIED) - before) / (time.monotonic() - begun))
            pairs.append(pair)
            print(f"    round {number + 1}: p99 {pair['steady']['latency_us']['p99']:.0f} → "
                  f"{pair['reloading']['latency_us']['p99']:.0f} µs, p99.9 "
                  f"{pair['steady']['latency_us']['p99.9']:.0f} → {pair['reloading']['latency_us']['p99.9']:.0f} µs, "
                  f"{done[-1]:.1f} reloads/s", flush=True)
    rows = []
    for quantile, budget in (("p99", 1.1), ("p99.9", 1.3)):
        times = {kind: [pair[kind]["latency_us"][quantile] for pair in pairs] for kind in ("steady", "reloading")}
        against = ratios(times["reloading"], times["steady"])
        rows.append(Row(f"reloads-{quantile}", f"{quantile} during {HERTZ:.0f} reloads a second of 100 k bindings, open "
                        f"loop at half capacity ({rate:,.0f}/s)",
                        f"without reloads {Figures(times['steady']).text('{:.0f}')} µs", f"≤ {budget} ×",
                        f"{against.text()} ×; {Figures(times['reloading']).text('{:.0f}')} µs; "
                        f"{Figures(done).text('{:.1f}')} reloads/s",
                        against.median <= budget and Figures(done).median > 0.8 * HERTZ))
    return rows, {"rate": rate, "pairs": pairs, "reloads_per_second": done}


APPLIED = 'sidegate_reloads_total{result="applied"}'


def rewrite(directory: Path, live: Path, over: threading.Event) -> None:
    begun = time.monotonic()
    for number in range(1, 1_000_000):
        if over.wait(max(0.0, begun + number / HERTZ - time.monotonic())):
            return
        replace(live, directory / f"{1 + number % 2}.sgate")


def swaps(tools: Tools, small: Path) -> tuple[list[Row], dict]:
    """A swap of Kubernetes' `..data` link, to the moment an answer comes from what is new."""
    volume, times, directory = tools.scratch / "volume", [], compiled(tools, 30_000)
    for number in (1, 2):
        (volume / f"..{number}").mkdir(parents=True)
        os.link(directory / f"{number}.sgate", volume / f"..{number}/policy.sgate")
    os.symlink("..1", volume / "..data")
    os.symlink("..data/policy.sgate", volume / "policy.sgate")
    with sidegate(tools, volume / "policy.sgate") as server:
        wait_for(tools, server, directory / "any.jsonl")
        for number in range(10 if tools.short else 100):
            applied = metric(server, APPLIED)
            os.symlink(f"..{2 - number % 2}", volume / "..next")
            begun = time.monotonic()
            os.rename(volume / "..next", volume / "..data")
            wait_until("the swap", lambda: metric(server, APPLIED) > applied)
            times.append((time.monotonic() - begun) * 1e3)
    times.sort()
    p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
    return [Row("swaps", f"`..data` swap to live, 30 k bindings, {len(times)} swaps", "Cerbos looks every 3 s, and never after a swap",
                "p50 ≤ 100 ms, p99 ≤ 500 ms", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms ({times[0]:.0f}–{times[-1]:.0f})",
                p50 <= 100 and p99 <= 500)], {"ms": times}
