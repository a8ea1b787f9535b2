"""A Cerbos server as a peer: the binary of its npm package, at the version that `.ci/cerbos` pins.

It keeps no facts, so each question tells it the roles that the user holds on the workspace: the caller has looked them
up. The policy is what is left: which role may do what with a document.
"""

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from .process import CLIENT_CORE, Failed, Server, Tools, free_port, pinned, running

RULES = [
    {"actions": ["view"], "effect": "EFFECT_ALLOW", "roles": ["reader", "writer"]},
    {"actions": ["update"], "effect": "EFFECT_ALLOW", "roles": ["writer"]},
    {"actions": ["publish"], "effect": "EFFECT_ALLOW", "roles": ["publisher"],
     "condition": {"match": {"expr": "R.attr.locked == false && R.attr.tier == 'pro'"}}},
    {"actions": ["*"], "effect": "EFFECT_ALLOW", "roles": ["owner"]},
]


def install(root: Path, target: Path) -> Path:
    """The server's binary, from the registry where it is not there yet."""
    directory = target / "peers/cerbos"
    binary = directory / "node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64"
    if not binary.exists():
        shutil.copytree(root / ".ci/cerbos", directory, dirs_exist_ok=True)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=directory,
                       check=True)
    return binary.resolve()


@contextmanager
def server(tools: Tools):
    """A server that has just been started."""
    directory = tools.scratch / f"cerbos-{free_port()}"
    (directory / "policies").mkdir(parents=True)
    policy = {"apiVersion": "api.cerbos.dev/v1",
              "resourcePolicy": {"resource": "document", "version": "default", "rules": RULES}}
    (directory / "policies/document.json").write_text(json.dumps(policy))
    http, grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config = {"server": {"httpListenAddr": http, "grpcListenAddr": grpc}, "telemetry": {"disabled": True},
              "storage": {"driver": "disk", "disk": {"directory": str(directory / "policies"),
                                                     "watchForChanges": False}}}
    (directory / "config.json").write_text(json.dumps(config))
    command = [str(tools.cerbos), "server", f"--config={directory / 'config.json'}", "--log-level=error"]
    with running(command, grpc, env={"CERBOS_NO_TELEMETRY": "1", "HOME": str(directory)}) as child:
        yield child


def load(tools: Tools, address: str, world: Path, calls: int, connections: int, in_flight: int) -> dict:
    command = [tools.peers / "cerbos-load", address, world / "cerbos.txt", calls, connections, in_flight]
    done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"cerbos-load ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def first_answer(tools: Tools, child: Server, world: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            load(tools, child.address, world, 1, 1, 1)
            return
        except Failed:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)


def saturation(tools: Tools, world: Path, rounds: int) -> list[dict]:
    """Four connections with 32 calls in flight on each, as all others."""
    outcomes = []
    for number in range(rounds):
        with server(tools) as child:
            first_answer(tools, child, world)
            warm = load(tools, child.address, world, 4_000, 4, 32)
            calls, before = round(warm["calls_per_second"] * tools.window), child.cpu()
            outcome = load(tools, child.address, world, calls, 4, 32)
            outcome["server_cpu_us"] = (child.cpu() - before) * 1e6 / outcome["calls"]
            outcome["resident_mib"] = child.kib("VmRSS") / 1024
            outcomes.append(outcome)
        print(f"    round {number + 1}: Cerbos {outcome['calls_per_second']:,.0f}/s {outcome['server_cpu_us']:.0f} µs",
              flush=True)
    return outcomes
