"""Over the wire: `Authorize` at saturation, one call in flight, batches and streams, against tonic and Cerbos."""

from pathlib import Path

from . import cerbos
from .figures import Figures, ratios
from .process import Tools, echo, measured, sidegate, wait_for, warm
from .report import Row

STARTS = {
    "sidegate": lambda tools, over, world: sidegate(tools, world / "world.sgate", over),
    "echo": lambda tools, over, world: echo(tools, "echo", over),
    "echo-mimalloc": lambda tools, over, world: echo(tools, "echo-mimalloc", over),
}
SATURATION = ("--connections", "4", "--in-flight", "32")
ONE = ("--connections", "1", "--in-flight", "1")


def rounds(tools: Tools, world: Path, names: list[str], over: str, flags: tuple[str, ...]):
    """Runs each by turns, each time with a new process; the list of outcomes of each."""
    outcomes = {name: [] for name in names}
    for number in range(tools.rounds):
        # Not always in the same order.
        for name in names[number % len(names):] + names[: number % len(names)]:
            questions = world / ("questions.jsonl" if name == "sidegate" else "any.jsonl")
            with STARTS[name](tools, over, world) as server:
                wait_for(tools, server, questions)
                count = warm(tools, server, questions, *flags, window=tools.window)
                outcomes[name].append(measured(tools, server, questions, *flags, count=count))
        print(f"    round {number + 1}: " + ", ".join(
            f"{name} {runs[-1]['calls_per_second']:,.0f}/s {runs[-1]['server_cpu_us']:.2f} µs "
            f"p50 {runs[-1]['latency_us']['p50']:.0f} µs" for name, runs in outcomes.items()), flush=True)
    return outcomes


def figures(outcomes: dict, what) -> dict[str, Figures]:
    return {name: Figures([what(run) for run in runs]) for name, runs in outcomes.items()}


def rate(run: dict) -> float:
    return run["calls_per_second"]


def cpu(run: dict) -> float:
    return run["server_cpu_us"]


def p50(run: dict) -> float:
    return run["latency_us"]["p50"]


def saturation(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """Four connections with 32 calls in flight on each, one core for the server."""
    rows, raw = [], {}
    for over in ("tcp", "uds"):
        print(f"  {over}", flush=True)
        outcomes = rounds(tools, world, list(STARTS), over, SATURATION)
        raw[over] = outcomes
        rates, cpus = figures(outcomes, rate), figures(outcomes, cpu)
        against = ratios(rates["sidegate"].values, rates["echo"].values)
        rows.append(Row(
            f"saturation-{over}", f"`Authorize` at saturation, {NAMES[over]}: requests a second against the stock echo",
            f"stock tonic echo {rates['echo'].text('{:,.0f}')}/s, {cpus['echo'].text()} µs; on one thread with mimalloc "
            f"{rates['echo-mimalloc'].text('{:,.0f}')}/s, {cpus['echo-mimalloc'].text()} µs",
            "≥ 2.0 ×, ≤ 5 µs of server CPU",
            f"{against.text()} ×; {rates['sidegate'].text('{:,.0f}')}/s, {cpus['sidegate'].text()} µs",
            against.median >= 2.0 and cpus["sidegate"].median <= 5.0))
        if over == "tcp" and tools.cerbos:
            raw["cerbos"] = cerbos.saturation(tools, world, min(3, tools.rounds))
            theirs = Figures([rate(run) for run in raw["cerbos"]])
            times = rates["sidegate"].median / theirs.median
            rows.append(Row(
                "cerbos", "the same against Cerbos 0.55, which is told the role",
                f"{theirs.text('{:,.0f}')}/s, {Figures([cpu(run) for run in raw['cerbos']]).text('{:.0f}')} µs",
                "≥ 30 ×", f"{times:.0f} × of medians", times >= 30))
        memory = Figures([run["resident_mib"] for run in outcomes["sidegate"]])
        echoes = Figures([run["resident_mib"] for run in outcomes["echo"]])
        rows.append(Row(f"memory-{over}", f"resident after saturation, 10 k users, {NAMES[over]}",
                        f"stock echo {echoes.text('{:.1f}')} MiB", "≤ 14 MiB", f"{memory.text('{:.1f}')} MiB",
                        memory.median <= 14))
    return rows, raw


def one_call(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """One connection, one call in flight: what a caller waits for."""
    rows, raw = [], {}
    for over in ("uds", "tcp"):
        print(f"  {over}", flush=True)
        outcomes = rounds(tools, world, ["sidegate", "echo"], over, ONE)
        raw[over] = outcomes
        times = figures(outcomes, p50)
        against = ratios(times["sidegate"].values, times["echo"].values)
        rows.append(Row(f"one-call-{over}", f"one call in flight, {NAMES[over]}: p50 against the stock echo",
                        f"stock echo {times['echo'].text('{:.1f}')} µs", "≤ 1.05 ×",
                        f"{against.text()} ×; {times['sidegate'].text('{:.1f}')} µs", against.median <= 1.05))
    return rows, raw


def batch(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """A hundred questions in one `BatchAuthorize`."""
    return many(tools, world, "batch", "`BatchAuthorize` of 100", ("--in-flight", "2", "--batch", "100"), 100)


def stream(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """A hundred questions in flight on each `AuthorizeStream`."""
    return many(tools, world, "stream", "`AuthorizeStream`, 100 in flight", ("--in-flight", "100", "--stream"), 1)


def many(tools: Tools, world: Path, key: str, name: str, flags: tuple[str, ...], each: int) -> tuple[list[Row], dict]:
    outcomes = rounds(tools, world, ["sidegate"], "tcp", ("--connections", "4", *flags))["sidegate"]
    cpus = Figures([cpu(run) / each for run in outcomes])
    checks = Figures([rate(run) * each for run in outcomes])
    return [Row(key, f"a check inside a {name}", "–", "≤ 0.5 µs of server CPU",
                f"{cpus.text('{:.3f}')} µs; {checks.text('{:,.0f}')} checks/s", cpus.median <= 0.5)], {"runs": outcomes}


NAMES = {"tcp": "TCP", "uds": "Unix socket"}
