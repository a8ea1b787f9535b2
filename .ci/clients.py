"""Runs the clients of `deploy/clients/` against the daemon and against servers that misbehave: none may ever allow
what it was not told to allow.

Usage: clients.py SIDEGATE PYTHON NAME=COMMAND..., where each command, given an address, answers lines of standard input;
one that is named NAME:tcp is not asked over the Unix socket.
The policy is the one of deploy/kubernetes/base, and one order that is sent. Each client goes through the same story.
First the program of the README's section "Clients" is run, with the modules of the folder PYTHON.
"""

import contextlib
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

POLICY = Path("deploy/kubernetes/base/policy")
START_SECONDS = 30
ANSWER_SECONDS = 20  # a client's deadline is half a second; the rest is for a slow machine
SLOW_TIMES = 20
BACK_SECONDS = 10  # a client looks again every second at most
ASK_ALLOW, ALLOW = "user/ana order/1001 view", "view=ALLOW"
SERVICE = "sidegate.v1.AuthorizationService"


def require(holds, text):
    if not holds:
        raise SystemExit(f"clients: FAILED: {text}")


class Lines:
    """A child that is asked by lines and answers by lines."""

    def __init__(self, command, environment=None):
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line.strip()) for line in self.child.stdout], daemon=True).start()

    def ask(self, line, seconds=ANSWER_SECONDS):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise SystemExit(f"clients: FAILED: no answer to `{line}` within {seconds} s") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Daemon:
    """Sidegate on a port and a socket that stay the same when it is started again."""

    def __init__(self, sidegate, directory, files):
        self.uds, self.port = f"{directory}/run/data.sock", free_port()
        snapshot = directory / "policy"
        snapshot.mkdir()
        for name, text in files.items():
            (snapshot / name).write_text(text)
        self.command = [sidegate, "serve", "--snapshot", snapshot, "--uds", self.uds, "--ops-listen", "", "--log", "error"]
        self.command += ["--listen", f"127.0.0.1:{self.port}"]
        self.health = [sidegate, "health", "--server", f"unix:{self.uds}"]
        self.addresses = [f"127.0.0.1:{self.port}", f"unix:{self.uds}"]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(self.health, capture_output=True, check=False).returncode != 0:
            require(time.monotonic() < deadline and self.process.poll() is None, "the daemon does not serve")
            time.sleep(0.02)

    def stand_still(self):
        """Stops it where it is. That happens thread by thread: one that still runs might answer."""
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + START_SECONDS
        while any(state(task) != "T" for task in Path(f"/proc/{self.process.pid}/task").iterdir()):
            require(time.monotonic() < deadline, "the daemon does not stand still")
            time.sleep(0.001)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            require(self.process.wait(timeout=40) == 0, "the daemon did not end well")


def state(task):
    """A thread's state; one that is gone stands still. Its name stands in parentheses, and may hold any letter."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return "T"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(name, client, question, wanted):
    said = client.ask(question)
    # Half a second may pass on a machine with much else to do. That is denied, and asked again here.
    for _ in range(SLOW_TIMES):
        if "(DEADLINE" not in said.upper():
            break
        said = client.ask(question)
    require(said == wanted, f"{name}: `{question}` is answered `{said}`, not `{wanted}`")


def denied(name, client, question, within=ANSWER_SECONDS):
    begun = time.monotonic()
    said = client.ask(question, within)
    words = said.split(" ") if len(question.split()) > 3 else [said]
    require("=ALLOW" not in said and "=DENY:(" in words[0], f"{name}: `{question}` is answered `{said}`, not an error")
    return said, time.monotonic() - begun


def story(name, command, daemon, address):
    """What an application lives through: answers, a daemon that stands still, one that is away, one that is back."""
    with Lines([*command, address]) as client:
        answers(name, client, ASK_ALLOW, ALLOW)
        answers(name, client, "user/ana order/1002 cancel", "cancel=DENY:CONDITION_FALSE")
        answers(name, client, "user/bob order/1001 view", "view=DENY:UNKNOWN_SUBJECT")
        answers(name, client, "user/ana parcel/1 view", "view=DENY:UNKNOWN_TYPE")
        page = "view=ALLOW cancel=ALLOW create=ALLOW fly=DENY:UNKNOWN_ACTION"
        answers(name, client, "user/ana order/1001 view cancel create fly", page)
        # Malformed: an error of the call, of one item, and of the whole batch.
        too_long = "x" * 1100
        said, _ = denied(name, client, f"user/ana order/1001 {too_long}")
        require("(INVALIDARGUMENT)" in said.replace("_", "").upper(), f"{name}: a malformed question is answered `{said[-60:]}`")
        said = client.ask(f"user/ana order/1001 view {too_long}")
        require(said.startswith("view=ALLOW") and said.count("=ALLOW") == 1, f"{name}: a malformed item: `{said[:60]}`")
        denied(name, client, "user/ana order/1001 " + " ".join(f"view{number}" for number in range(1100)))
        daemon.stand_still()
        _, still = denied(name, client, ASK_ALLOW)
        denied(name, client, "user/ana order/1001 view cancel")
        daemon.process.send_signal(signal.SIGCONT)
        back(name, client, "the daemon goes on")
        daemon.stop()
        _, away = denied(name, client, ASK_ALLOW)
        denied(name, client, "user/ana order/1001 view cancel")
        time.sleep(1)
        denied(name, client, ASK_ALLOW)
        daemon.start()
        took = back(name, client, "the daemon is back")
    kind = address.partition(":")[0].replace("127.0.0.1", "tcp")
    print(f"clients: {name} over {kind}: denied after {still:.2f} s standing still, {away:.2f} s away; back in {took:.2f} s", flush=True)


def back(name, client, what):
    begun = time.monotonic()
    while client.ask(ASK_ALLOW) != ALLOW:
        require(time.monotonic() - begun < BACK_SECONDS, f"{name}: still denies although {what}")
        time.sleep(0.05)
    return time.monotonic() - begun


# Answers as bytes: `AuthorizeResponse{decision = N}`; a batch of such verdicts; an empty message; no protobuf at all.
def decision(number):
    return bytes([0x08, number])


def batch(*verdicts):
    results = [bytes([0x12, len(verdict)]) + verdict for verdict in verdicts]
    return b"".join(bytes([0x0A, len(result)]) + result for result in results)


LIES = [
    ("no decision", b"", batch(b"", b"")),
    ("an unknown decision", decision(3), batch(decision(3), decision(99))),
    ("a denial", decision(2), batch(decision(2), decision(2))),
    ("answers that are missing", decision(0), batch(decision(1))),
    ("too many answers", decision(0), batch(decision(1), decision(1), decision(1))),
    ("no outcome", decision(0), b"\x0a\x00\x0a\x00"),
    ("what is no message", b"\xff\xff\xff", b"\xff\xff\xff"),
]


class Liar(grpc.GenericRpcHandler):
    """A server that answers whatever it is told to, and counts what it is asked."""

    def __init__(self):
        self.single, self.batch, self.asked, self.unavailable = b"", b"", 0, 0

    def service(self, details):
        answer = self.batch if details.method.endswith("BatchAuthorize") else self.single

        def handle(_, context):
            self.asked += 1
            if self.asked <= self.unavailable:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            return answer

        return grpc.unary_unary_rpc_method_handler(handle)


def lies(name, command):
    liar = Liar()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[liar], options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(lambda: server.stop(None).wait(10))
        client = stack.enter_context(Lines([*command, f"127.0.0.1:{port}"]))
        for what, liar.single, liar.batch in LIES:
            for question in (ASK_ALLOW, "user/ana order/1001 view cancel"):
                said = client.ask(question)
                require("=ALLOW" not in said and "=DENY" in said, f"{name}: {what} is taken for `{said}`")
        # What is tried again, and how often.
        liar.single = decision(1)
        for unavailable, wanted, times in ((1, ALLOW, 2), (100, "view=DENY:(UNAVAILABLE)", 3)):
            for _ in range(SLOW_TIMES):
                liar.asked, liar.unavailable = 0, unavailable
                if "(DEADLINE" not in (said := client.ask(ASK_ALLOW)).upper():
                    break
            require(said.upper() == wanted.upper(), f"{name}: {said} after {unavailable} failures")
            require(liar.asked == times, f"{name}: asked {liar.asked} times, not {times}, after {unavailable} failures")
    print(f"clients: {name}: {len(LIES)} lies are denied; asks again, three times at most", flush=True)


@contextlib.contextmanager
def serving(sidegate, files):
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(Path(sidegate).resolve(), Path(directory), files)
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.stop()


def block(page, info):
    """A fenced block of the README."""
    found = page.split(f"\n```{info}\n")
    require(len(found) == 2, f"the README has {len(found) - 1} blocks `{info}`")
    return found[1].partition("```\n")[0]


def readme(sidegate, modules):
    page = Path("README.md").read_text()
    with serving(sidegate, {"first.yaml": block(page, "yaml file=first.yaml")}) as daemon:
        program = block(page, "python client").replace("127.0.0.1:8650", daemon.addresses[0])
        command = [sys.executable, "-c", program]
        said = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=60, check=False)
        wanted = block(page, "text client")
        require(said.stdout == wanted, f"the program of the README prints\n{said.stdout}{said.stderr}\nnot\n{wanted}")


def main(sidegate, modules, *clients):
    readme(sidegate, modules)
    files = {file.name: file.read_text() for file in POLICY.iterdir()}
    files["sent.yaml"] = "sidegate: 1\nresources: {order/1002: {parent: shop/main, attributes: {state: sent}}}\n"
    for client in clients:
        name, _, command = client.partition("=")
        command = shlex.split(command)
        with serving(sidegate, files) as daemon:
            for address in daemon.addresses[: 1 if name.endswith(":tcp") else 2]:
                story(name, command, daemon, address)
        lies(name, command)
    print(f"clients: {len(clients)} clients never allowed what they were not told to allow")


if __name__ == "__main__":
    main(*sys.argv[1:])
