"""Compares the system calls of a daemon's whole life with those that the unit lets through.

Usage: unit.py SIDEGATE UNIT. There is no systemd here to run the unit under, so its filter is worked out as systemd does,
and the daemon is run under strace with the arguments of the unit, in folders of its own.
"""

import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients import POLICY, free_port

START_SECONDS = 60


def require(holds, text):
    if not holds:
        raise SystemExit(f"unit: FAILED: {text}")


def members(name):
    """The system calls of a set, and of the sets in it."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    calls = set()
    for word in (line.strip() for line in listed.splitlines()[1:]):
        calls |= members(word) if word.startswith("@") else {word} if word and not word.startswith("#") else set()
    return calls


def allowed(unit):
    """`SystemCallFilter=` line by line: the first makes a list of what is let through, `~` takes away."""
    calls = members("@default")
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        names = value.removeprefix("~").split()
        listed = set().union(*(members(name) if name.startswith("@") else {name} for name in names))
        calls = calls - listed if value.startswith("~") else calls | listed
    return calls


def arguments(unit, folder, data, ops):
    command = re.search(r"^ExecStart=(.*)$", unit.replace("\\\n", " "), re.M)[1].split()
    for old in ("/etc/sidegate", "/run/sidegate", "/var/lib/sidegate"):
        command = [word.replace(old, f"{folder}{old}") for word in command]
    return [*command, "--listen", f"127.0.0.1:{data}", "--ops-listen", f"127.0.0.1:{ops}"]


def live(sidegate, unit, folder):
    policy = folder / "etc/sidegate/policy"
    for name in ("etc/sidegate/policy", "run/sidegate", "var/lib/sidegate"):
        (folder / name).mkdir(parents=True)
    for file in POLICY.iterdir():
        (policy / file.name).write_text(file.read_text())
    trace, data, ops = folder / "trace", free_port(), free_port()
    kept = folder / "var/lib/sidegate"
    environment = {"SIDEGATE_STATE_DIRECTORY": str(kept)}
    require("Environment=SIDEGATE_STATE_DIRECTORY=/var/lib/sidegate\n" in unit, "the unit keeps no last good snapshot")
    command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", trace, *arguments(unit, folder, data, ops)]
    # As systemd is told for `Type=notify`.
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    supervisor.bind(str(folder / "notify"))
    supervisor.settimeout(START_SECONDS)
    require("Type=notify\n" in unit, "nobody waits for a live policy")
    environment = {**environment, "NOTIFY_SOCKET": str(folder / "notify"), "PATH": "/usr/bin:/bin"}
    tracer = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        addresses = [f"127.0.0.1:{data}", f"unix:{folder}/run/sidegate/data.sock", f"unix:{kept}/admin.sock"]
        for address in [f"127.0.0.1:{ops}", *addresses]:
            wait(f"{address} serves", lambda: ask(sidegate, "health", "--server", address) == 0)
        for address in addresses[:2]:
            require(ask(sidegate, "check", "--server", address, "user/ana", "view", "order/1001") == 0, "ana may not")
            ask(sidegate, "list", "resources", "--server", address, "user/ana", "view", "order")
        (policy / "more.yaml").write_text("sidegate: 1\nsubjects: {user/bob: {}}\nbindings: [{subject: user/bob, role: clerk, at: shop/main}]\n")
        bob = ("check", "--server", addresses[0], "user/bob", "view", "order/1001")
        wait("the reload is served", lambda: ask(sidegate, *bob) == 0)
        daemon = int(Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()[0])
        # As `systemctl reload` and `systemctl stop` do.
        subprocess.run(["kill", "-HUP", str(daemon)], check=True)
        time.sleep(1)
        subprocess.run(["kill", "-TERM", str(daemon)], check=True)
        require(tracer.wait(timeout=60) == 0, "the daemon did not end well")
        told = [supervisor.recv(100) for _ in range(2)]
        require(told == [b"READY=1\n", b"STOPPING=1\n"], f"systemd is told {told}")
    finally:
        tracer.kill() if tracer.poll() is None else None
    # The program itself is started before the filter is in force.
    return set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", trace.read_text(), re.M)) - {"execve"}


def ask(sidegate, *words):
    return subprocess.run([sidegate, *words], capture_output=True, check=False).returncode


def wait(what, done):
    begun = time.monotonic()
    while not done():
        require(time.monotonic() - begun < START_SECONDS, f"waited in vain until {what}")
        time.sleep(0.05)


def main(sidegate, unit):
    unit = Path(unit).read_text()
    with tempfile.TemporaryDirectory() as folder:
        made = live(sidegate, unit, Path(folder))
    refused = made - allowed(unit)
    require(len(made) > 30 and {"bind", "accept4", "inotify_add_watch"} <= made, f"too little was seen: {sorted(made)}")
    require(not refused, f"the unit's filter refuses {sorted(refused)}")
    print(f"unit: {len(made)} system calls are made, all of them let through")


if __name__ == "__main__":
    main(*sys.argv[1:])
