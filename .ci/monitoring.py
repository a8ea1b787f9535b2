"""Asks a real Prometheus everything that the dashboard asks, about a daemon that has been through a few things.

Usage: monitoring.py SIDEGATE PROMETHEUS. A query that fails, or that finds nothing although what it looks for has
happened, is a mistake in deploy/grafana/sidegate.json; the alerts are looked at too, and none may fire.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from clients import POLICY, free_port

WAIT_SECONDS = 60
# Nothing of these happens here.
QUIET = ("sidegate_shed_total", "sidegate_caller_refusals_total", "fresh_until", "config_reloads_total", '"BatchAuthorize"')


def require(holds, text):
    if not holds:
        raise SystemExit(f"monitoring: FAILED: {text}")


def fetch(url, **query):
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return json.load(answer)["data"]


def expressions():
    """Every query of the dashboard, as Grafana sends it."""
    board = json.loads(Path("deploy/grafana/sidegate.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    found += [annotation["expr"] for annotation in board["annotations"]["list"]]
    for old, new in (("$__rate_interval", "10s"), ("$job", ".*"), ("$instance", ".*")):
        found = [expression.replace(old, new) for expression in found]
    require(not any("$" in expression for expression in found), "a variable of the dashboard is not known here")
    return found


def live(sidegate, prometheus, directory):
    data, ops, web = free_port(), free_port(), free_port()
    policy = directory / "policy"
    policy.mkdir()
    for file in POLICY.iterdir():
        (policy / file.name).write_text(file.read_text())
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(Path("deploy/prometheus/alerts.yaml").resolve())],
        "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": [f"127.0.0.1:{ops}"]}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(config))
    serve = [sidegate, "serve", "--snapshot", policy, "--listen", f"127.0.0.1:{data}", "--ops-listen", f"127.0.0.1:{ops}"]
    watch = [prometheus, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
    watch += [f"--web.listen-address=127.0.0.1:{web}", "--log.level=error"]
    daemon, server = subprocess.Popen([*serve, "--log", "error"]), subprocess.Popen(watch)
    try:
        ask(sidegate, data, policy, f"http://127.0.0.1:{web}/api/v1")
    finally:
        for process in (daemon, server):
            process.terminate()
            process.wait(timeout=40)


def ask(sidegate, data, policy, prometheus):
    wanted, empty, begun, edits = expressions(), None, time.monotonic(), 0
    while empty != []:
        require(time.monotonic() - begun < WAIT_SECONDS, f"nothing is found by {empty}")
        # Both answers, an undetermined one, reloads good and bad: over and over, because rates need change.
        for question in ("view", "cancel", "fly"):
            check = [sidegate, "check", "--server", f"127.0.0.1:{data}", "user/ana", question, "order/1001"]
            subprocess.run(check, capture_output=True, check=False)
        edits += 1
        (policy / "more.yaml").write_text(f"sidegate: 1\nsubjects: {{user/new-{edits}: {{}}}}\n")
        time.sleep(1)
        try:
            empty = [e for e in wanted if not any(q in e for q in QUIET) and not fetch(f"{prometheus}/query", query=e)["result"]]
        except OSError as problem:
            empty = [str(problem)]
    for expression in wanted:
        fetch(f"{prometheus}/query", query=expression)
    rules = [rule for group in fetch(f"{prometheus}/rules")["groups"] for rule in group["rules"]]
    require(rules and all(rule["health"] == "ok" for rule in rules), f"rules fail: {rules}")
    firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
    require(not firing, f"alerts fire: {firing}")
    print(f"monitoring: {len(wanted)} queries of the dashboard answered, {len(rules)} alerts quiet")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        live(Path(sys.argv[1]).resolve(), sys.argv[2], Path(scratch))
