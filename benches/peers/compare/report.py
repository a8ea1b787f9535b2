"""What was found, as rows of one table, and what the table says of where it was found."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Row:
    """A line of the table: a promise, and what became of it."""

    key: str
    what: str
    against: str
    budget: str
    measured: str
    met: bool

    def json(self) -> dict:
        return asdict(self)


def table(rows: list[Row]) -> str:
    lines = ["| what | limit or peer, same run | budget | measured: median (min–max) | met |", "|---|---|---|---|---|"]
    for row in rows:
        met = "yes" if row.met else "**no**"
        lines.append(f"| {row.what} | {row.against} | {row.budget} | {row.measured} | {met} |")
    return "\n".join(lines) + "\n"


def machine(root: Path) -> dict:
    """Where and on what."""
    def said(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, cwd=root).stdout.strip()

    model = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {
        "cpu": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "rustc": said("rustc", "-V"),
        "commit": said("git", "rev-parse", "--short=12", "HEAD"),
    }


def page(found: dict) -> str:
    """The table of all parts with a line of what it stands on, as README shows it."""
    rows = [Row(**row) for part in found.values() for row in part["rows"]]
    where = list(found.values())[-1]["where"]
    rounds = sorted({part["where"]["rounds"] for part in found.values()})
    head = (f"{where['cpu']}, {where['cores']} cores, Linux {where['kernel']}, {where['rustc']}; "
            f"{'–'.join(map(str, rounds))} rounds by turns, the server on one core, the load on another.\n")
    return f"{head}\n{table(rows)}"
