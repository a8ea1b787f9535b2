"""A process that has just been started, one that nobody asks, and the file on disk."""

import os
import subprocess
import time
from pathlib import Path

from . import cerbos
from .figures import Figures
from .process import ANY_PORT, CLIENT_CORE, SERVER_CORE, Failed, Tools, echo, free_port, pinned, running
from .report import Row


def starts(tools: Tools, world: Path, number: int) -> dict[str, list[float]]:
    """Milliseconds from `exec` to the first right answer, which `first-answer` asks for from another core."""
    allowed = next(line.split() for line in open(world / "cerbos.txt") if line.endswith(" allow\n"))
    times = {"sidegate": [], "echo": []}
    for _ in range(number):
        for name in times:
            address = f"127.0.0.1:{free_port()}"
            env = {"SIDEGATE_LISTEN": address, "SIDEGATE_OPS_LISTEN": ANY_PORT, "PATH": os.environ["PATH"],
                   "SIDEGATE_SNAPSHOT": str(world / "world.sgate")}
            program = [tools.sidegate, "serve"] if name == "sidegate" else [tools.peers / "echo", address]
            command = [tools.peers / "first-answer", address, allowed[0], allowed[2], allowed[3],
                       *pinned(SERVER_CORE, program)]
            done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True, env=env)
            if done.returncode != 0:
                raise Failed(f"{name} does not start: {done.stderr}")
            times[name].append(float(done.stdout))
    return times


def life(tools: Tools, world: Path) -> tuple[list[Row], dict]:
    """Start to the first right answer, memory of a process that nobody asks, and the size of the binary."""
    times = starts(tools, world, 5 if tools.short else 20)
    raw = {"start_ms": times}
    own, echoes = (Figures(times[name]) for name in ("sidegate", "echo"))
    theirs = f"stock echo {echoes.text('{:.1f}')} ms"
    idle = f"stock echo {resting(tools, echo(tools, 'echo')):.1f} MiB"
    size = f"stock echo {(tools.peers / 'echo').stat().st_size / 1e6:.1f} MB"
    if tools.cerbos:
        raw["cerbos_start_ms"], raw["cerbos_idle_mib"] = [], []
        for _ in range(3):
            begun = time.monotonic()
            with cerbos.server(tools) as server:
                cerbos.first_answer(tools, server, world)
                raw["cerbos_start_ms"].append((time.monotonic() - begun) * 1e3)
                raw["cerbos_idle_mib"].append(server.kib("VmRSS") / 1024)
        theirs += f", Cerbos {Figures(raw['cerbos_start_ms']).text('{:.0f}')} ms"
        idle += f", Cerbos {Figures(raw['cerbos_idle_mib']).text('{:.0f}')} MiB"
        size += f", Cerbos {tools.cerbos.stat().st_size / 1e6:.0f} MB"
    raw["idle_mib"] = [resting(tools, demo(tools)) for _ in range(min(3, tools.rounds))]
    rests = Figures(raw["idle_mib"])
    raw["binary_bytes"] = tools.sidegate.stat().st_size
    binary = raw["binary_bytes"] / 1e6
    return [
        Row("start", "`exec` to the first right answer, 10 k users", theirs, "≤ 20 ms", f"{own.text('{:.1f}')} ms",
            own.median <= 20),
        Row("idle", "resident with the policy of `sidegate demo`, before anybody asks", idle, "≤ 10 MiB",
            f"{rests.text('{:.1f}')} MiB", rests.median <= 10),
        Row("size", "the stripped static binary", size, "≤ 8 MB", f"{binary:.2f} MB", binary <= 8),
    ], raw


def resting(tools: Tools, starting) -> float:
    """MiB of a process that has been left alone for a while."""
    with starting as server:
        time.sleep(1 if tools.short else 3)
        return server.kib("VmRSS") / 1024


def demo(tools: Tools):
    address = f"127.0.0.1:{free_port()}"
    return running([tools.sidegate, "demo", "--listen", address, "--ops-listen", ANY_PORT], address)
