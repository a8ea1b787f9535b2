"""Runs the image as a kubelet would run the rendered pods: an empty root that cannot be written to, the user of the pod,
no capabilities, a network of its own, the policy in a volume that is swapped.

Usage, as root: pod.py IMAGE.tar FILE... (rendered workloads). It unpacks the image, checks it against deploy/Dockerfile,
and starts itself once more in namespaces of its own, where the ports of the manifests are free.
"""

import contextlib
import ctypes
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

POD_ADDRESS = "192.0.2.1"  # of documentation; within the namespace only
START_SECONDS = 30
LIBC, PR_SET_NO_NEW_PRIVS = ctypes.CDLL(None), 38
SWAP_SECONDS = 10


def require(holds, text):
    if not holds:
        raise SystemExit(f"pod: FAILED: {text}")


# The image.


def unpack(file, root):
    """Lays out the image's root as a runtime does, checking every digest on the way; its configuration."""
    with tarfile.open(file) as layout:
        def blob(described):
            data = layout.extractfile("blobs/sha256/" + described["digest"].removeprefix("sha256:")).read()
            require(f"sha256:{hashlib.sha256(data).hexdigest()}" == described["digest"], "a blob is not what it is named")
            require(len(data) == described["size"], "a blob is not as long as it says")
            return data

        index = json.load(layout.extractfile("index.json"))
        manifest = json.loads(blob(index["manifests"][0]))
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(layer)), mode="r:gz") as files:
                files.extractall(root, filter="tar")
        return json.loads(blob(manifest["config"]))["config"]


def same_as_dockerfile(config):
    """The two ways to the image say the same of how it runs."""
    said = {}
    for line in Path("deploy/Dockerfile").read_text().partition("FROM scratch")[2].splitlines():
        word, _, rest = line.partition(" ")
        said[word] = rest
    require(config["User"] == said["USER"], f"the user is {config['User']}, not {said['USER']}")
    require(config["Entrypoint"] == json.loads(said["ENTRYPOINT"]), "another entrypoint")
    require(config["Cmd"] == json.loads(said["CMD"]), "other arguments")
    ports = sorted(port.removesuffix("/tcp") for port in config["ExposedPorts"])
    require(ports == said["EXPOSE"].split(), f"other ports: {ports}")


# Within namespaces of our own.


class Volume:
    """A ConfigMap's or Secret's files as a kubelet lays them out, and swaps them."""

    def __init__(self, path, files):
        self.path, self.version = path, 0
        path.mkdir(parents=True)
        for name in files:
            (path / name).symlink_to(f"..data/{name}")
        self.swap(files)

    def swap(self, files):
        self.version += 1
        version = self.path / f"..2026_11_22_{self.version}"
        version.mkdir()
        for name, text in files.items():
            (version / name).write_text(text)
        (self.path / "..data_tmp").symlink_to(version.name)
        (self.path / "..data_tmp").rename(self.path / "..data")


class Pod:
    """The sidecar of a rendered workload, in the root of the image."""

    def __init__(self, root, scratch, documents):
        workload = next(d for d in documents if d["kind"] in ("Pod", "Deployment", "StatefulSet"))
        self.spec = workload["spec"] if workload["kind"] == "Pod" else workload["spec"]["template"]["spec"]
        self.daemon = next(c for c in self.spec["initContainers"] if c["name"] == "sidegate")
        files = next((d.get("data") or d.get("stringData") for d in documents if d["kind"] in ("ConfigMap", "Secret")), None)
        self.files = files or {f.name: f.read_text() for f in Path("deploy/kubernetes/base/policy").iterdir()}
        self.root, self.scratch, self.process = root, scratch, None
        self.app = self.spec["containers"][0]
        self.shared = self.spec.get("securityContext", {}).get("fsGroup")

    def mount(self):
        run("mount", "--bind", self.root, self.root)
        # What every runtime adds.
        for folder in ("proc", "dev"):
            (self.root / folder).mkdir()
        run("mount", "-t", "proc", "proc", self.root / "proc")
        for device in ("null", "random", "urandom"):
            (self.root / "dev" / device).touch()
            run("mount", "--bind", f"/dev/{device}", self.root / "dev" / device)
        for mount in self.daemon["volumeMounts"]:
            target = self.root / mount["mountPath"].lstrip("/")
            target.mkdir(parents=True)
            volume = next(v for v in self.spec["volumes"] if v["name"] == mount["name"])
            source = self.scratch / mount["name"]
            if "emptyDir" in volume:
                source.mkdir()
                os.chown(source, 0, self.shared or 0)
                source.chmod(0o2777)
            elif "image" in volume:
                source.mkdir()
                for name, text in self.files.items():
                    (source / name).write_text(text)
            else:
                self.volume = Volume(source, self.files)
            run("mount", "--bind", source, target)
            if mount.get("readOnly"):
                run("mount", "-o", "remount,ro,bind", target)
        run("mount", "-o", "remount,ro,bind", self.root)

    def confine(self, container):
        """Between fork and exec: the image's root, the container's user and groups, and nothing that gives more."""
        context = {**self.spec.get("securityContext", {}), **container["securityContext"]}
        os.chroot(self.root)
        os.chdir("/")
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.setgroups([self.shared] if self.shared else [])
        os.setgid(context.get("runAsGroup", 0))
        os.setuid(context["runAsUser"])

    def run(self, container, command):
        confine = lambda: self.confine(container)
        return subprocess.run(command, env={}, preexec_fn=confine, capture_output=True, text=True, check=False)

    def start(self, entrypoint):
        command, confine = [*entrypoint, *self.daemon["args"]], lambda: self.confine(self.daemon)
        with open(self.scratch / "log", "wb") as log:
            self.process = subprocess.Popen(command, env={}, preexec_fn=confine, stderr=log)
        begun = time.monotonic()
        while not self.probe("startupProbe"):
            require(self.process.poll() is None and time.monotonic() - begun < START_SECONDS, "the pod does not start")
            time.sleep(0.01)
        return time.monotonic() - begun

    def probe(self, name):
        """What a kubelet asks: from outside, at the pod's address, or by a process in the container."""
        probe = self.daemon.get(name)
        if probe is None:
            return True
        if "exec" in probe:
            return self.run(self.daemon, probe["exec"]["command"]).returncode == 0
        ports = {p["name"]: p["containerPort"] for p in self.daemon.get("ports") or []}
        port = ports.get(probe["httpGet"]["port"], probe["httpGet"]["port"])
        try:
            url = f"http://{POD_ADDRESS}:{port}{probe['httpGet']['path']}"
            with urllib.request.urlopen(url, timeout=probe.get("timeoutSeconds", 1)) as answer:
                return answer.status == 200
        except OSError:
            return False

    def check(self, *question):
        """Asks where the application is told to ask, as its user."""
        address = next(v["value"] for v in self.app["env"] if v["name"] == "SIDEGATE_ADDRESS")
        return self.run(self.app, ["/sidegate", "check", "--server", address, *question]).stdout.split()[:2]

    def outside(self):
        """Whether another pod could ask for decisions."""
        return self.run(self.app, ["/sidegate", "health", "--server", f"{POD_ADDRESS}:8650"]).returncode == 0


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


def live(pod, entrypoint):
    started = pod.start(entrypoint)
    status = Path(f"/proc/{pod.process.pid}/status").read_text()
    require("CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status, "the daemon may too much")
    for name in ("readinessProbe", "livenessProbe"):
        require(pod.probe(name), f"{name} fails")
    require(not pod.outside(), "other pods can ask for decisions")
    require(pod.check("user/ana", "view", "order/1001") == ["ALLOW", "GRANTED"], "ana may not view")
    require(pod.check("user/bob", "view", "order/1001")[0] == "DENY", "bob may view")
    swapped = 0.0
    if hasattr(pod, "volume"):
        less = {**pod.files, "facts.yaml": pod.files["facts.yaml"].partition("bindings:")[0]}
        begun = time.monotonic()
        pod.volume.swap(less)
        while pod.check("user/ana", "view", "order/1001") != ["DENY", "NO_GRANT"]:
            require(time.monotonic() - begun < SWAP_SECONDS, "a swapped volume is not served")
        swapped = time.monotonic() - begun
    pod.process.terminate()
    require(pod.process.wait(timeout=40) == 0, "the daemon did not end well")
    return started, swapped


def inside(image, file):
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{POD_ADDRESS}/32", "dev", "lo")
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as after:
        root = Path(scratch) / "root"
        root.mkdir()
        config = unpack(image, root)
        require([p.name for p in root.iterdir()] == ["sidegate"], f"the image holds {[*root.iterdir()]}")
        same_as_dockerfile(config)
        pod = Pod(root, Path(scratch), [*yaml.safe_load_all(Path(file).read_text())])
        Path(scratch).chmod(0o755)
        pod.mount()
        after.callback(lambda: run("umount", "--recursive", root))
        try:
            started, swapped = live(pod, config["Entrypoint"])
        except SystemExit:
            print((Path(scratch) / "log").read_text())
            raise
        finally:
            if pod.process and pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()
        print(f"pod: {Path(file).stem}: ready in {started:.2f} s; a swap is served in {swapped:.2f} s", flush=True)


def main(image, *files):
    for file in files:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        ended = subprocess.run([*command, sys.executable, __file__, "--inside", image, file], check=False, timeout=120)
        require(ended.returncode == 0, f"{file}: exit {ended.returncode}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--inside", image, file]:
            inside(image, file)
        case [image, *files]:
            main(image, *files)
