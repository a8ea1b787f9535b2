"""Does what a new user does with `sidegate demo`: starts it, asks over gRPC, edits the facts, asks again, stops it.

The client knows the service by reflection only, so it also shows that reflection and the wire names are right.
Usage: demo_client.py COMMAND..., the command that runs the demo; it must become the demo's own process (as `cargo run`
does), because SIGTERM goes to it.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

START_SECONDS = 60  # the binary is built before; what remains is cargo's own check
ANSWER_SECONDS = 5
CHANGE_SECONDS = 5  # promised: one second; the measured time is printed
STOP_SECONDS = 15
SERVICE = "sidegate.v1.AuthorizationService"
SUBJECT = ("user", "ana")
BINDING = "subject: user/ana,"


def say(text):
    print(f"demo client: {text}", flush=True)


def require(holds, text):
    if not holds:
        raise SystemExit(f"demo client: FAILED: {text}")


def announced(process, keys):
    """Reads what the demo prints until it has named every key: `facts   /tmp/x/facts.yaml`."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            print(f"demo: {line}", end="", flush=True)
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    found, deadline = {}, time.monotonic() + START_SECONDS
    while not keys <= found.keys():
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            line = None
        require(line is not None, f"the demo did not print {sorted(keys - found.keys())}")
        key, _, value = line.strip().partition(" ")
        if key in keys:
            found.setdefault(key, value.strip())
    return found


class Asker:
    """Calls `Authorize` with messages built from the server's own descriptors."""

    def __init__(self, channel):
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        method = pool.FindServiceByName(SERVICE).FindMethodByName("Authorize")
        self.request = GetMessageClass(method.input_type)
        self.response = GetMessageClass(method.output_type)
        self.call = channel.unary_unary(
            f"/{SERVICE}/Authorize",
            request_serializer=self.request.SerializeToString,
            response_deserializer=self.response.FromString,
        )

    def decision(self, action, resource):
        request = self.request()
        request.subject.type, request.subject.id = SUBJECT
        request.action.name = action
        request.resource.type, request.resource.id = resource.split("/", 1)
        response = self.call(request, timeout=ANSWER_SECONDS)
        numbers = response.DESCRIPTOR.fields_by_name["decision"].enum_type.values_by_number
        return numbers[response.decision].name


def expect(asker, action, resource, wanted):
    decision = asker.decision(action, resource)
    say(f"user/ana {action} {resource}: {decision}")
    require(decision == wanted, f"expected {wanted}")


def take_role_away(facts):
    lines = facts.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (line.lstrip().startswith("-") and BINDING in line)]
    require(len(kept) < len(lines), f"no binding line with `{BINDING}` in the facts")
    # Written in place, as the simplest editor does: a reader may meet the file empty or half-written.
    facts.write_text("".join(kept))


def wait_for_deny(asker, action, resource):
    start = time.monotonic()
    while asker.decision(action, resource) != "DECISION_DENY":
        require(time.monotonic() - start < CHANGE_SECONDS, f"no new answer within {CHANGE_SECONDS} s of the edit")
        time.sleep(0.005)
    say(f"new answer {(time.monotonic() - start) * 1000:.0f} ms after the edit")


def use(process):
    found = announced(process, {"facts", "grpc"})
    with grpc.insecure_channel(found["grpc"]) as channel:
        grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
        asker = Asker(channel)
        stub, deadline = health_pb2_grpc.HealthStub(channel), time.monotonic() + ANSWER_SECONDS
        while True:
            health = stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=ANSWER_SECONDS)
            # It follows the snapshot a moment later.
            if health.status == health_pb2.HealthCheckResponse.SERVING or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        require(health.status == health_pb2.HealthCheckResponse.SERVING, f"health is {health.status}")
        expect(asker, "update", "analytics_dashboard/kpi", "DECISION_ALLOW")
        expect(asker, "update", "bot/helper", "DECISION_DENY")
        take_role_away(Path(found["facts"]))
        wait_for_deny(asker, "update", "analytics_dashboard/kpi")


def main(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        use(process)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=STOP_SECONDS)
        require(code == 0, f"exit code {code} after SIGTERM")
        say("stopped with exit code 0")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
