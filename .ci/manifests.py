"""Checks what no schema of Kubernetes says of the manifests: that the sidecar fits the pod that it is in.

Usage: manifests.py FILE... (rendered YAML, `-` for standard input). Each workload with a container `sidegate` is looked
at; at the end each rule is shown to catch the mistake that it is for.
"""

import copy
import posixpath
import sys
from ipaddress import ip_address

import yaml

LOOPBACK = "127.0.0.1"
WORKLOADS = {"Pod", "Deployment", "StatefulSet", "DaemonSet"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
UPDATED = {"configMap", "secret", "projected", "image"}  # what a policy may come from; of these only an image stays


def pod_of(document):
    return document["spec"] if document["kind"] == "Pod" else document["spec"]["template"]["spec"]


def option(container, name, default=None):
    """The value of `--name=value` among the arguments."""
    found = [argument.partition("=")[2] for argument in container.get("args", []) if argument.startswith(f"--{name}=")]
    return found[-1] if found else default


def sidecar(pod):
    return next((c for c in pod.get("initContainers", []) if c["name"] == "sidegate"), None)


def check(document):
    """Everything that is wrong with a workload."""
    pod = pod_of(document)
    daemon = sidecar(pod)
    if daemon is None:
        return ["no init container `sidegate`"]
    wrong = [*native(daemon), *policy(pod, daemon), *listeners(pod, daemon), *probes(daemon), *clients(pod, daemon)]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        wrong += [f"{container['name']}: {what}" for what in [*restricted(pod, container), *resources(container)]]
    wrong += [f"the pod shares `{key}` with its node" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    wrong += [f"volume `{v['name']}` is of the node" for v in pod.get("volumes", []) if "hostPath" in v]
    return wrong


def native(daemon):
    if daemon.get("restartPolicy") != "Always":
        yield "without `restartPolicy: Always` the application never starts"
    if "startupProbe" not in daemon:
        yield "without a startup probe the application runs before its policy"


def restricted(pod, container):
    """Kubernetes' restricted profile, and a root that cannot be written to."""
    own, shared = container.get("securityContext", {}), pod.get("securityContext", {})
    either = {**shared, **own}
    if either.get("runAsNonRoot") is not True or either.get("runAsUser") == 0:
        yield "may run as root"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "may gain privileges"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "keeps capabilities"
    if either.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the node"


def resources(container):
    given = container.get("resources", {})
    if not {"cpu", "memory"} <= given.get("requests", {}).keys() or "memory" not in given.get("limits", {}):
        yield "has no requests or no limit of memory"


def policy(pod, daemon):
    path = option(daemon, "snapshot")
    mounts = [mount for mount in daemon.get("volumeMounts", []) if mount["mountPath"] == path]
    if len(mounts) != 1:
        yield f"nothing is mounted at `{path}`, where the policy is read"
        return
    if "subPath" in mounts[0] or "subPathExpr" in mounts[0]:
        yield "the policy is mounted by `subPath`, which is never updated"
    if mounts[0].get("readOnly") is not True:
        yield "the sidecar may write to its policy"
    volume = volume_of(pod, mounts[0])
    if not UPDATED & volume.keys():
        yield f"volume `{mounts[0]['name']}` is no policy: {sorted(volume)}"


def listeners(pod, daemon):
    address = option(daemon, "listen", f"{LOOPBACK}:8650")
    if address and not ip_address(host(address)).is_loopback:
        yield f"decisions can be asked for from other pods: `--listen={address}`"
    if any("insecure" in argument for argument in daemon["args"]):
        yield "the sidecar listens without authentication"
    socket = option(daemon, "uds", "")
    if not address and not socket:
        yield "nobody can ask for decisions"
    if socket:
        mount = mount_above(daemon, socket)
        if mount is None or "emptyDir" not in volume_of(pod, mount) or mount.get("readOnly"):
            yield "the socket is not in an `emptyDir` that the sidecar may write to"
        elif posixpath.dirname(socket) == mount["mountPath"]:
            yield "the socket lies in a directory that everybody may write to"


def probes(daemon):
    ops = option(daemon, "ops-listen", f"{LOOPBACK}:8651")
    ports = {port["name"]: port["containerPort"] for port in daemon.get("ports") or []}
    for name in PROBES:
        probe = daemon.get(name)
        if probe is None:
            continue
        if "exec" in probe:
            if probe["exec"]["command"] != ["/sidegate", "health", "--server", ops]:
                yield f"{name} does not ask the ops listener `{ops}`"
            continue
        wanted = "/livez" if name == "livenessProbe" else "/readyz"
        if probe["httpGet"]["path"] != wanted:
            yield f"{name} asks `{probe['httpGet']['path']}`, not `{wanted}`"
        port = ports.get(probe["httpGet"]["port"], probe["httpGet"]["port"])
        if not ops or str(port) != ops.rpartition(":")[2]:
            yield f"{name} asks port {port}, but the ops listener is `{ops}`"
        elif ip_address(host(ops)).is_loopback:
            yield f"{name} comes from outside, but the ops listener is on loopback"


def clients(pod, daemon):
    """Every container that names the sidecar's address reaches it."""
    address, socket = option(daemon, "listen", f"{LOOPBACK}:8650"), option(daemon, "uds", "")
    told = 0
    for container in pod["containers"]:
        for variable in container.get("env", []):
            if variable["name"] != "SIDEGATE_ADDRESS":
                continue
            told += 1
            if variable["value"] not in (address, f"unix:{socket}" if socket else address):
                yield f"{container['name']}: nothing listens at `{variable['value']}`"
            if variable["value"].startswith("unix:"):
                mount, theirs = mount_above(container, socket), mount_above(daemon, socket)
                if mount is None or theirs is None or mount["name"] != theirs["name"]:
                    yield f"{container['name']}: has no part in the socket's volume"
                elif mount.get("readOnly") is not True:
                    yield f"{container['name']}: may replace the socket"
                if pod.get("securityContext", {}).get("fsGroup") != daemon["securityContext"].get("runAsGroup"):
                    yield "the socket's group is not the pod's"
    if not told:
        yield "no container is told where to ask"


def host(address):
    return address.rpartition(":")[0].strip("[]")


def mount_above(container, path):
    return next((m for m in container.get("volumeMounts", []) if path.startswith(m["mountPath"] + "/")), None)


def volume_of(pod, mount):
    return next((v for v in pod.get("volumes", []) if v["name"] == mount["name"]), {})


def mistakes(pod):
    """Edits of a good pod, each of which some rule must catch."""
    daemon, app = sidecar(pod), pod["containers"][0]
    replace = lambda old, new: daemon.update(args=[a.replace(old, new) for a in daemon["args"]])
    yield "no native sidecar", lambda: daemon.pop("restartPolicy")
    yield "no startup probe", lambda: daemon.pop("startupProbe")
    yield "subPath", lambda: daemon["volumeMounts"][-1].update(subPath="policy.yaml")
    yield "writable policy", lambda: daemon["volumeMounts"][-1].pop("readOnly")
    yield "another path", lambda: replace("/etc/sidegate/policy", "/etc/sidegate")
    yield "no volume", lambda: pod["volumes"].clear()
    yield "empty volume", lambda: [v.update(emptyDir=v.pop(k)) for v in pod["volumes"] for k in UPDATED & v.keys()]
    yield "open to all", lambda: (replace("--listen=", "--listen=0.0.0.0:8650#"), replace(f"#{LOOPBACK}:8650", ""))
    yield "another ops port", lambda: replace(":8651", ":9651")
    yield "readiness as liveness", lambda: daemon.update(livenessProbe={"httpGet": {"path": "/readyz", "port": 8651}})
    yield "root", lambda: (daemon["securityContext"].update(runAsUser=0))
    yield "capabilities", lambda: app["securityContext"].update(capabilities={"drop": ["NET_RAW"]})
    yield "privilege escalation", lambda: daemon["securityContext"].pop("allowPrivilegeEscalation")
    yield "writable root", lambda: app["securityContext"].update(readOnlyRootFilesystem=False)
    yield "unconfined", lambda: daemon["securityContext"].update(seccompProfile={"type": "Unconfined"})
    yield "host network", lambda: pod.update(hostNetwork=True)
    yield "no memory limit", lambda: daemon["resources"].pop("limits")
    yield "a deaf address", lambda: app["env"][0].update(value="127.0.0.1:1")
    if option(daemon, "uds"):
        yield "socket in the open", lambda: replace("/sockets/sidegate/", "/sockets/")
        yield "another's socket", lambda: app["volumeMounts"].clear()
        yield "a group too few", lambda: pod["securityContext"].pop("fsGroup")


def main(files):
    seen, caught = 0, 0
    for file in files:
        for document in yaml.safe_load_all(sys.stdin if file == "-" else open(file, encoding="utf-8")):
            if document is None or document["kind"] not in WORKLOADS:
                continue
            seen += 1
            if wrong := check(document):
                raise SystemExit("\n".join(f"{file}: {document['kind']}: {what}" for what in wrong))
            for number, (name, _) in enumerate(mistakes(copy.deepcopy(pod_of(document)))):
                worse = copy.deepcopy(document)
                [*mistakes(pod_of(worse))][number][1]()
                if not check(worse):
                    raise SystemExit(f"{file}: the mistake `{name}` is not caught")
                caught += 1
    if not seen:
        raise SystemExit("no workload was found")
    print(f"manifests: {seen} workloads are right; {caught} mistakes made in them are caught")


if __name__ == "__main__":
    main(sys.argv[1:])
