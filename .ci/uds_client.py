"""Does what README tells Python clients of a Unix socket: names a host for the calls, or a target without a directory.

Usage: uds_client.py SIDEGATE SNAPSHOT. It also shows that the advice is needed: when a plain target works too, the
paragraph "Unix sockets from Python and Java" can go.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

START_SECONDS = 30
ANSWER_SECONDS = 5
NAMED = [("grpc.default_authority", "localhost")]


def require(holds, text):
    if not holds:
        raise SystemExit(f"uds client: FAILED: {text}")


def ask(target, options=()):
    """The health of the daemon, or the code of the error."""
    with grpc.insecure_channel(target, options=options) as channel:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=ANSWER_SECONDS, wait_for_ready=True)
            return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            return error.code().name


def expect(target, options, wanted):
    answer = ask(target, options)
    print(f"uds client: {target} {dict(options)}: {answer}", flush=True)
    require(answer == wanted, f"expected {wanted}")


def main(sidegate, snapshot):
    sidegate, snapshot = Path(sidegate).resolve(), Path(snapshot).resolve()
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/run/data.sock"
        command = [sidegate, "serve", "--snapshot", snapshot, "--listen", "", "--ops-listen", "", "--uds", path]
        process = subprocess.Popen(command)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not Path(path).exists() or ask(f"unix:{path}", NAMED) != "SERVING":
                require(time.monotonic() < deadline and process.poll() is None, "the daemon does not serve")
                time.sleep(0.01)
            expect(f"unix:{path}", NAMED, "SERVING")
            expect(f"unix://{path}", NAMED, "SERVING")
            expect(f"unix:{path}", (), "INTERNAL")
            os.chdir(Path(path).parent)
            expect("unix:data.sock", (), "SERVING")
        finally:
            process.terminate()
            code = process.wait(timeout=30)
        require(code == 0, f"exit code {code} after SIGTERM")


if __name__ == "__main__":
    main(*sys.argv[1:])
