"""What the decision log costs: to latency at half capacity, and to the processor at saturation."""

from pathlib import Path

from .figures import Figures, ratios
from .process import Server, Tools, measured, sidegate, wait_for, warm
from .reloads import half_capacity, metric, open_loop
from .report import Row

SATURATION = ("--connections", "4", "--in-flight", "32")


def decision_log(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """The decision log with denials, and with everything at 10,000 decisions a second, against none."""
    questions, raw = world / "questions.jsonl", {"calm": [], "saturated": []}
    modes = {"off": {}, "denials": {}, "all": {}}
    for mode in modes:
        target = f"file:{tools.scratch / f'decisions-{mode}.log'}"
        modes[mode] = {"SIDEGATE_DECISION_LOG": mode, "SIDEGATE_DECISION_LOG_TO": target}
    with sidegate(tools, world / "world.sgate") as server:
        wait_for(tools, server, questions)
        rate = half_capacity(tools, server, questions)
    order = list(modes)
    for number in range(tools.rounds):
        calm, saturated = {}, {}
        for mode in order[number % 3:] + order[: number % 3]:
            with sidegate(tools, world / "world.sgate", env=modes[mode]) as server:
                wait_for(tools, server, questions)
                count = warm(tools, server, questions, *SATURATION, window=tools.window)
                # `all` is promised up to ten thousand a second; `slow` is the rate without a log.
                if mode != "all":
                    calm[mode] = open_loop(tools, server.address, questions, rate, tools.window)
                if mode != "denials":
                    calm["slow" if mode == "off" else mode] = open_loop(
                        tools, server.address, questions, min(rate, 10_000), tools.window)
                saturated[mode] = measured(tools, server, questions, *SATURATION, count=count)
                saturated[mode]["dropped"] = 0.0 if mode == "off" else dropped(server)
        raw["calm"].append(calm)
        raw["saturated"].append(saturated)
        print(f"    round {number + 1}: p99 " + ", ".join(
            f"{mode} {run['latency_us']['p99']:.0f} µs" for mode, run in calm.items()) + "; " + ", ".join(
            f"{mode} {run['server_cpu_us']:.2f} µs" for mode, run in saturated.items()), flush=True)
    rows = []
    for mode, base, what in (("denials", "off", f"denials, open loop at half capacity ({rate:,.0f}/s)"),
                             ("all", "slow", f"everything, open loop at {min(rate, 10_000):,.0f}/s")):
        times = {name: [calm[name]["latency_us"]["p99"] for calm in raw["calm"]] for name in (mode, base)}
        against = ratios(times[mode], times[base])
        rows.append(Row(f"log-{mode}", f"decision log, {what}: p99", f"off {Figures(times[base]).text('{:.0f}')} µs",
                        "≤ 1.1 ×", f"{against.text()} ×; {Figures(times[mode]).text('{:.0f}')} µs",
                        against.median <= 1.1))
    cpus = {mode: [one[mode]["server_cpu_us"] for one in raw["saturated"]] for mode in modes}
    for mode in ("denials", "all"):
        against = ratios(cpus[mode], cpus["off"])
        lost = Figures([100 * one[mode]["dropped"] for one in raw["saturated"]])
        rows.append(Row(f"log-cpu-{mode}", f"decision log, {mode}, at saturation: server CPU a request",
                        f"off {Figures(cpus['off']).text()} µs", "≤ 1.3 ×; drops are counted",
                        f"{against.text()} ×; {Figures(cpus[mode]).text()} µs; {lost.text('{:.0f}')} % dropped, counted",
                        against.median <= 1.3))
    return rows, raw


def dropped(server: Server) -> float:
    """The share of decisions that were counted as missing from the log."""
    lost, kept = (metric(server, f"sidegate_decision_log_{what}_total") for what in ("dropped", "written"))
    return lost / (lost + kept)
