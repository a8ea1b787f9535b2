#!/usr/bin/env python3
"""Makes an image of a few files without a daemon: an OCI layout in one tar, the same bytes for the same input.

    deploy/image/oci.py --output sidegate.tar --tag sidegate:0.1.0 --daemon target/dist/sidegate
    deploy/image/oci.py --output policy.tar --tag shop-policy:1.0.0 policy.yaml facts.yaml

The first is the image that deploy/Dockerfile builds; the second holds a policy for an image volume. `docker load`,
`podman load`, `skopeo copy oci-archive:sidegate.tar docker://...` and `ctr image import` take them.
"""

import argparse
import gzip
import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

USER = 65532
MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# What deploy/Dockerfile says; `.ci/image.py` compares.
DAEMON = {
    "User": f"{USER}:{USER}",
    "ExposedPorts": {"8650/tcp": {}, "8651/tcp": {}},
    "Entrypoint": ["/sidegate", "serve"],
    "Cmd": ["--snapshot", "/etc/sidegate/policy", "--ops-listen", "0.0.0.0:8651"],
}


def archive(files):
    """A tar of (path, bytes, mode), without times, names or anything else of the machine that makes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data, mode in files:
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def image(tag, files, config, architecture):
    layer = archive(sorted(files))
    packed = gzip.compress(layer, 9, mtime=0)
    blobs = []

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs.append((f"blobs/sha256/{digest}", data, 0o644))
        return {"mediaType": f"{MEDIA}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def described(kind, content):
        return blob(kind, json.dumps(content, sort_keys=True, separators=(",", ":")).encode())

    layers = [blob("layer.v1.tar+gzip", packed)]
    settings = described(
        "config.v1+json",
        {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        },
    )
    manifest = described(
        "manifest.v1+json",
        {"schemaVersion": 2, "mediaType": f"{MEDIA}.manifest.v1+json", "config": settings, "layers": layers},
    )
    names = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": tag}
    index = {"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": [{**manifest, "annotations": names}]}
    head = [
        ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644),
        ("index.json", json.dumps(index, sort_keys=True, separators=(",", ":")).encode(), 0o644),
    ]
    return archive(head + sorted(blobs)), manifest["digest"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--tag", required=True, help="as sidegate:0.1.0")
    parser.add_argument("--daemon", type=Path, help="the static binary, which the image then runs")
    parser.add_argument("--architecture", default=ARCHITECTURES.get(platform.machine(), platform.machine()))
    parser.add_argument("files", nargs="*", type=Path, help="put into the root under their own names")
    asked = parser.parse_args()
    files = [(file.name, file.read_bytes(), 0o644) for file in asked.files]
    if asked.daemon:
        files.append(("sidegate", asked.daemon.read_bytes(), 0o755))
    data, digest = image(asked.tag, files, DAEMON if asked.daemon else {}, asked.architecture)
    asked.output.write_bytes(data)
    print(f"{asked.output}: {asked.tag} {digest}, {len(data)} bytes")


if __name__ == "__main__":
    main()
