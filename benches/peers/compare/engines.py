"""`decide` in this process beside the engines that run in a process: `src/bin/engines`."""

import json
import subprocess
from pathlib import Path

from . import world
from .figures import Figures, ratios
from .loading import large
from .process import CLIENT_CORE, Failed, Tools, pinned
from .report import Row

ROLES = (10, 100_000)
PLAIN, CONDITION, FLOOR = "Sidegate", "Sidegate, condition", "three look-ups and a bit"
WAIT = "one wait for memory"


def engines(tools: Tools, small: Path) -> tuple[list[Row], dict]:
    """From request strings to a decision, next to Cedar, Casbin, Rego and CEL; all in one process, by turns."""
    others = {}
    numbers = (10, 1_000) if tools.short else ROLES
    for roles in numbers:
        directory = tools.scratch / f"roles-{roles}"
        world.write(directory, 10_000, 1_000, custom_roles=roles)
        subprocess.run([tools.sidegate, "compile", directory / "source", "-o", directory / "world.sgate"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        others[f"Sidegate, {roles:,} roles"] = directory
    if not tools.short:
        others["Sidegate, 10 M bindings"] = tools.worlds.get("10 M") or large(tools, 10_000_000)[0]
    passes = 1 if tools.short else 7
    command = [tools.peers / "engines", small, *(f"{name}={path}" for name, path in others.items()), "--passes", passes]
    done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"engines ended with {done.returncode}: {done.stderr}")
    raw = json.loads(done.stdout)
    times = {name: Figures(values) for name, values in raw.items()}
    for name, figures in times.items():
        print(f"    {name}: {figures.text('{:,.0f}')} ns", flush=True)
    engines_of_others = [name for name in times if not name.startswith(("Sidegate", FLOOR, WAIT))]
    peers = ", ".join(f"{name} {micros(times[name])}" for name in engines_of_others)

    def row(key: str, name: str, what: str, against: str, budget: float) -> Row:
        return Row(key, what, against, f"≤ {budget:.0f} ns", f"{times[name].text('{:.0f}')} ns",
                   times[name].median <= budget)

    rows = [
        row("decide", PLAIN, "`decide`, 10 k users × 1 k workspaces, drawn at random",
            f"{FLOOR} {times[FLOOR].text('{:.0f}')} ns; {peers}", 150),
        row("decide-condition", CONDITION, "`decide` with a condition", "CEL as above", 400),
    ]
    few, many = (times[name] for name in list(others)[:2])
    growth = ratios(many.values, few.values)
    rows.append(Row("decide-roles", f"`decide`, {numbers[0]:,} to {numbers[1]:,} roles", f"{few.text('{:.0f}')} ns",
                    "flat: ≤ 1.25 ×", f"{growth.text()} ×; {many.text('{:.0f}')} ns", growth.median <= 1.25))
    if "Sidegate, 10 M bindings" in times:
        rows.append(row("decide-10m", "Sidegate, 10 M bindings", "`decide` at 10 M bindings",
                        f"{WAIT} in as many bytes {times[WAIT].text('{:.0f}')} ns", 500))
    return rows, raw


def micros(figures: Figures) -> str:
    return f"{figures.median / 1e3:.2f} ({figures.least / 1e3:.2f}–{figures.most / 1e3:.2f}) µs"
