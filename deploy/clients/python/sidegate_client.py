"""A client of Sidegate that denies whenever it is not told to allow.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/sidegate/v1/*.proto

Make one `Sidegate` for a process and share it: its channel is safe between threads and connects again by itself. As a
program it answers lines of standard input, `user/ana order/1001 view cancel`, with `view=ALLOW cancel=DENY:NO_GRANT`.
"""

import json
import os
import sys
from dataclasses import dataclass

import grpc

from sidegate.v1 import authorization_pb2 as pb
from sidegate.v1 import authorization_pb2_grpc, value_pb2

# A decision takes microseconds: what is not there after this is not coming, and somebody waits for the page.
DEADLINE_SECONDS = 0.5

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "sidegate.v1.AuthorizationService"}],
            # Decisions change nothing, so asking again is safe. UNAVAILABLE: restarting, or no snapshot yet.
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # While most calls fail, none is tried again.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}


@dataclass(frozen=True)
class Answer:
    """Whether the subject may, and why: a reason of the policy, or an error in brackets. For logs, not for users."""

    allowed: bool
    why: str


class Sidegate:
    """Asks a daemon at `127.0.0.1:8650` or `unix:/sockets/sidegate/data.sock`."""

    def __init__(self, address, deadline=DEADLINE_SECONDS):
        options = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            # Without these a client of a daemon that was away for long asks only every two minutes whether it is back.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            # Finds a peer that is gone without a word while calls wait for it.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            # Never through a proxy of the environment.
            ("grpc.enable_http_proxy", 0),
        ]
        if address.startswith("unix:"):
            # Else the socket's path is sent as the host, which HTTP/2 refuses.
            options.append(("grpc.default_authority", "localhost"))
        self._deadline = deadline
        self._channel = grpc.insecure_channel(address, options)
        self._service = authorization_pb2_grpc.AuthorizationServiceStub(self._channel)

    def allowed(self, subject, action, resource, properties=None):
        """Whether it is allowed. Whatever else happens, it is not."""
        return self.check(subject, action, resource, properties).allowed

    def check(self, subject, action, resource, properties=None):
        """The same, and why."""
        try:
            answer = self._service.Authorize(_question(subject, action, resource, properties), timeout=self._deadline)
        except grpc.RpcError as error:
            return Answer(False, f"({error.code().name})")
        return _answer(answer)

    def check_all(self, subject, resource, actions):
        """An answer for every action, by one call on one snapshot: which buttons does this page show?"""
        actions = list(actions)
        batch = pb.BatchAuthorizeRequest(requests=[_question(subject, action, resource, None) for action in actions])
        try:
            results = self._service.BatchAuthorize(batch, timeout=self._deadline).results
        except grpc.RpcError as error:
            return dict.fromkeys(actions, Answer(False, f"({error.code().name})"))
        if len(results) != len(actions):
            return dict.fromkeys(actions, Answer(False, "(answers are missing)"))
        return {action: _result(result) for action, result in zip(actions, results)}

    def close(self):
        self._channel.close()


def _question(subject, action, resource, properties):
    """Subject and resource are pairs of type and id; properties of the resource are text, numbers or truth values."""
    question = pb.AuthorizeRequest()
    question.subject.type, question.subject.id = subject
    question.action.name = action
    question.resource.type, question.resource.id = resource
    for name, value in (properties or {}).items():
        question.resource.properties[name].CopyFrom(_value(value))
    return question


def _value(value):
    # A truth value is a number to Python, so it is looked for first.
    for kind, field in ((bool, "bool_value"), (int, "int_value"), (str, "string_value")):
        if isinstance(value, kind):
            return value_pb2.Value(**{field: value})
    raise TypeError(f"{value!r} is no property")


def _result(result):
    if result.WhichOneof("outcome") == "verdict":
        return _answer(result.verdict)
    return Answer(False, f"({result.error.message or 'no outcome'})")


def _answer(verdict):
    # Only this one value allows: not its absence, and not a value that this client does not know.
    allowed = verdict.decision == value_pb2.DECISION_ALLOW
    known = value_pb2.Reason.DESCRIPTOR.values_by_number.get(verdict.reason)
    return Answer(allowed, known.name.removeprefix("REASON_") if known else str(verdict.reason))


def _main():
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SIDEGATE_ADDRESS", "127.0.0.1:8650")
    sidegate = Sidegate(address)
    for line in sys.stdin:
        subject, resource, *actions = line.split()
        subject, resource = tuple(subject.split("/", 1)), tuple(resource.split("/", 1))
        if len(actions) == 1:
            answers = {actions[0]: sidegate.check(subject, actions[0], resource)}
        else:
            answers = sidegate.check_all(subject, resource, actions)
        said = (f"{action}=ALLOW" if a.allowed else f"{action}=DENY:{a.why}" for action, a in answers.items())
        print(*said, flush=True)


if __name__ == "__main__":
    _main()
