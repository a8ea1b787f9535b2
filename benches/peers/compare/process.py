"""Servers on a core of their own, load from another, and what the kernel says of the server meanwhile."""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# `taskset` takes them as text.
SERVER_CORE, CLIENT_CORE, BOTH = "0", "1", "0,1"
PATIENCE = 30.0


class Failed(Exception):
    """A measurement that cannot be made; nothing is reported in its place."""


@dataclass
class Tools:
    """What was built, where to write, and how long to measure."""

    sidegate: Path
    peers: Path
    scratch: Path
    rounds: int
    window: float
    short: bool = False
    cerbos: Path | None = None
    # Large worlds that are made once, by name.
    worlds: dict[str, Path] = field(default_factory=dict)


# For a listener that nobody asks: two free ports may turn out to be one.
ANY_PORT = "127.0.0.1:0"


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def pinned(core: str, command: list) -> list[str]:
    return ["taskset", "-c", core, *map(str, command)]


class Server:
    """A running server."""

    def __init__(self, child: subprocess.Popen, address: str, ops: str | None = None):
        self.child, self.address, self.ops = child, address, ops

    def cpu(self) -> float:
        """Seconds of processor time so far, of all its threads, to the nanosecond where the kernel tells."""
        try:
            tasks = Path(f"/proc/{self.child.pid}/task").iterdir()
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(") ", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kib(self, name: str) -> int:
        """A line of its status: `VmRSS`, or `VmHWM` for the most."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise Failed(f"no {name} for {self.child.pid}")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


@contextmanager
def running(command: list[str], address: str, *, env: dict[str, str] | None = None, ops: str | None = None,
            core: str = SERVER_CORE):
    """Starts it and, in the end, kills it by its own id."""
    own = {"PATH": os.environ["PATH"]} | (env or {})
    child = subprocess.Popen(pinned(core, command), env=own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    server = Server(child, address, ops)
    try:
        yield server
    finally:
        server.stop()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def address_for(tools: Tools, over: str) -> str:
    return f"127.0.0.1:{free_port()}" if over == "tcp" else f"unix:{tools.scratch / f'{free_port()}.sock'}"


def sidegate(tools: Tools, snapshot: Path, over: str = "tcp", env: dict[str, str] | None = None,
             core: str = SERVER_CORE):
    """The daemon as it comes: all limits, deadlines and metrics on."""
    address = address_for(tools, over)
    ops = f"127.0.0.1:{free_port()}"
    tcp = address if over == "tcp" else f"127.0.0.1:{free_port()}"
    own = {"SIDEGATE_LISTEN": tcp, "SIDEGATE_OPS_LISTEN": ops, "SIDEGATE_SNAPSHOT": str(snapshot),
           "SIDEGATE_SNAPSHOT_MAX_BYTES": str(4 << 30)}
    if over == "uds":
        own["SIDEGATE_UDS"] = address.removeprefix("unix:")
    return running([tools.sidegate, "serve"], address, env=own | (env or {}), ops=ops, core=core)


def echo(tools: Tools, program: str, over: str = "tcp"):
    address = address_for(tools, over)
    return running([tools.peers / program, address], address)


def bench(tools: Tools, address: str, questions: Path, *flags: str, count: int) -> dict:
    """So many calls of `sidegate bench` from the client's core; every answer must come and be right."""
    command = [tools.sidegate, "bench", "--server", address, "--questions", questions, "--seed", "1", "--json",
               "--count", str(count), *flags]
    done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"bench of {address} ended with {done.returncode}: {done.stdout}{done.stderr}")
    told = json.loads(done.stdout)
    # Where it listened is this machine's own.
    del told["server"]
    return told


def wait_for(tools: Tools, server: Server, questions: Path) -> None:
    """Until it answers a question."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            bench(tools, server.address, questions, "--connections", "1", "--in-flight", "1", count=1)
            return
        except Failed:
            if time.monotonic() > end or server.child.poll() is not None:
                raise
            time.sleep(0.02)


def warm(tools: Tools, server: Server, questions: Path, *flags: str, window: float) -> int:
    """Asks for a while, and says how many calls fill the window."""
    count = 200
    while True:
        outcome = bench(tools, server.address, questions, *flags, count=count)
        if outcome["seconds"] > window / 8:
            return max(1, round(outcome["calls_per_second"] * window))
        count *= 8


def measured(tools: Tools, server: Server, questions: Path, *flags: str, count: int) -> dict:
    """A run with the server's processor time for each call, in µs, and what it holds afterwards."""
    before = server.cpu()
    outcome = bench(tools, server.address, questions, *flags, count=count)
    outcome["server_cpu_us"] = (server.cpu() - before) * 1e6 / outcome["calls"]
    outcome["resident_mib"] = server.kib("VmRSS") / 1024
    return outcome
