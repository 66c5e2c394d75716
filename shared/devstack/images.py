"""Pins every image of a deployment to a digest: `python -m shared.devstack.images`.

A tag can be moved by whoever may push it; a digest cannot. Which digest a tag has today only a registry knows, so none
is written in this repository: this command asks (`docker buildx imagetools inspect`) and writes

- `images.lock`, for `docker compose --env-file images.lock` and for `docker build --build-arg`;
- `k8s/components/pinned`, a kustomize component that overlays add.

Commit both where you deploy from. Pass `--own api=REGISTRY/NAME:TAG` and `--own model=...` once your own images are
pushed.
"""

import argparse
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from shared.errors import BadInput, LacunaError, Unavailable

# By the variable that docker-compose.yml and the Dockerfile read.
FOREIGN: Final[Mapping[str, str]] = {
    "PYTHON_IMAGE": "python:3.11-slim-bookworm",
    "POSTGRES_IMAGE": "postgres:18",
    "VALKEY_IMAGE": "valkey/valkey:9",
    "SEAWEEDFS_IMAGE": "chrislusf/seaweedfs:4.48",
    "VLLM_IMAGE": "vllm/vllm-openai:v0.11.0",
}
OWN: Final = ("api", "model")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
TIMEOUT_S: Final = 120.0


def resolve(image: str) -> str:
    """The digest of an image in its registry. Raises Unavailable where it cannot be asked, BadInput for no digest."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"docker cannot be run ({type(exc).__name__}).") from exc
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"The digest of {image} is not known: {last}")
    try:
        digest = str(json.loads(done.stdout)["digest"])
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"What docker says of {image} has no digest.") from exc
    if not DIGEST.fullmatch(digest):
        raise BadInput(f"What docker says of {image} is no digest: {digest[:80]}")
    return digest


def name_of(image: str) -> str:
    """The name of an image without its tag; a colon before the last slash belongs to a port."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def pin(root: Path, own: Mapping[str, str], digest_of: Callable[[str], str] = resolve) -> list[Path]:
    """Write both files below `root`; nothing is written where one digest is not known.

    `own` are the images that were built here, by target (`api`, `model`). Raises Unavailable or BadInput.
    """
    if unknown := own.keys() - set(OWN):
        raise BadInput(f"There is no image {', '.join(sorted(unknown))}; there are {', '.join(OWN)}.")
    images = dict(FOREIGN) | {f"LACUNA_{target.upper()}_IMAGE": image for target, image in own.items()}
    pinned = {variable: (image, digest_of(image)) for variable, image in images.items()}
    env = "".join(f"{variable}={name_of(image)}@{digest}\n" for variable, (image, digest) in pinned.items())
    lines = ["# Written by `python -m shared.devstack.images`.", "apiVersion: kustomize.config.k8s.io/v1alpha1"]
    lines += ["kind: Component", "images:"]
    for variable, (image, digest) in pinned.items():
        if variable != "PYTHON_IMAGE":
            target = variable.removeprefix("LACUNA_").removesuffix("_IMAGE").lower()
            name = f"lacuna-{target}" if target in own else name_of(image)
            lines.append(f"  - {{name: {name}, newName: {name_of(image)}, digest: {digest}}}")
    component = root / "k8s/components/pinned/kustomization.yaml"
    component.parent.mkdir(parents=True, exist_ok=True)
    files = {root / "images.lock": env, component: "\n".join(lines) + "\n"}
    for path, text in files.items():
        path.write_text(text)
    return list(files)


def main() -> None:
    """Run from the root of the project."""
    parser = argparse.ArgumentParser(description="Pin every image of a deployment to a digest.")
    parser.add_argument("--own", action="append", default=[], metavar="TARGET=IMAGE", help="api=... or model=...")
    try:
        own = dict(each.split("=", 1) for each in parser.parse_args().own if "=" in each)
        for path in pin(Path.cwd(), own):
            print(path)
    except LacunaError as exc:
        raise SystemExit(exc.detail) from exc


if __name__ == "__main__":
    main()
