"""The image without torch holds all that its processes import, and images can be pinned to digests."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from shared.devstack.images import FOREIGN, name_of, pin, resolve
from shared.errors import BadInput, Unavailable
from tests.deploy.api_requirements import ROOT, lines, model_lines

DIGEST = "sha256:" + "0123456789abcdef" * 4
OWN = {"api": "registry.example.org:5000/lacuna-api:1.0", "model": "registry.example.org:5000/lacuna-model:1.0"}


def test_list_of_the_image_without_torch_is_up_to_date() -> None:
    assert (ROOT / "requirements-api.lock").read_text().splitlines() == lines(), (
        "python -m tests.deploy.api_requirements"
    )
    names = {line.partition("==")[0] for line in lines()}
    assert not {"torch", "transformers", "scipy", "celery-types", "pytest"} & names
    assert {"fastapi", "celery", "psycopg-binary", "opentelemetry-sdk", "prometheus-client"} <= names


@pytest.mark.parametrize(("image", "listed"), [("api", lines()), ("model", model_lines())], ids=["api", "model"])
def test_images_install_nothing_whose_hash_is_not_known(image: str, listed: list[str]) -> None:
    """But for torch, whose wheel depends on the device."""
    text = (ROOT / f"requirements-{image}.sha256").read_text()
    pins = [entry.split(" ")[0] for entry in text.splitlines() if "==" in entry]
    assert pins == [line.split(" ")[0] for line in listed], "make hashes"
    assert all("--hash=sha256:" in entry for entry in text.replace("\\\n", "").splitlines())
    assert f"--require-hashes --requirement requirements-{image}.sha256" in (ROOT / "Dockerfile").read_text()


def test_image_of_the_model_has_all_that_the_project_needs() -> None:
    names = {line.partition("==")[0] for line in model_lines()}
    assert {"transformers", "tokenizers", "safetensors", "scipy", "pyarrow", "sympy"} <= names
    assert not {"torch", "pytest", "celery-types"} & names


def test_processes_without_torch_import_nothing_that_their_image_lacks() -> None:
    """Every module of the request service, the control loop, the beat, the migrations and the command line."""
    code = """
    import importlib, importlib.metadata, pkgutil, re, sys
    import migrations, services.cli, services.request, uvicorn.loops.auto, uvicorn.protocols.http.auto
    # Migrations need the tool that runs them, and the demo needs the model.
    NOT_THERE = ("migrations.versions.", "migrations.env", "services.cli.demo")
    names = ["services.refit.beat", "celery.__main__", "uvicorn", "shared.devstack.secrets"]
    for package in (migrations, services.cli, services.request):
        names += [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
                  if not each.name.startswith(NOT_THERE)]
    for name in names:
        importlib.import_module(name)
    where = importlib.metadata.packages_distributions()
    for top in sorted({name.partition(".")[0] for name in sys.modules}):
        print(top, *(re.sub(r"[-_.]+", "-", each).lower() for each in where.get(top, ())))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    held = {line.partition("==")[0] for line in lines()} | {"lacuna", "setuptools"}
    lacking = {}
    for top, *packages in map(str.split, done.stdout.splitlines()):
        if packages and not set(packages) & held:
            lacking[top] = packages
    assert lacking.keys() <= OPTIONAL, lacking
    assert "torch" not in done.stdout.split()


# What other packages use where it happens to be installed, and do without where it is not.
OPTIONAL = {
    "orjson", "psutil", "sniffio", "xxhash", "zstandard", "yaml", "fontTools", "brotli", "exceptiongroup", "greenlet",
    "pillow_heif", "_pillow_heif",
}  # fmt: skip


def test_images_are_pinned_in_both_files(tmp_path: Path) -> None:
    asked: list[str] = []

    def digest_of(image: str) -> str:
        asked.append(image)
        return DIGEST

    env, component = pin(tmp_path, OWN, digest_of)
    variables = dict(line.split("=", 1) for line in env.read_text().splitlines())
    assert sorted(asked) == sorted([*FOREIGN.values(), *OWN.values()])
    assert variables["POSTGRES_IMAGE"] == f"postgres@{DIGEST}"
    assert variables["LACUNA_API_IMAGE"] == f"registry.example.org:5000/lacuna-api@{DIGEST}"
    images = {each["name"]: each for each in yaml.safe_load(component.read_text())["images"]}
    assert images["lacuna-model"] == {
        "name": "lacuna-model", "newName": "registry.example.org:5000/lacuna-model", "digest": DIGEST,
    }  # fmt: skip
    assert "python" not in images


def test_variables_are_those_that_compose_and_the_dockerfile_read() -> None:
    read = "".join(
        (ROOT / name).read_text() for name in ("docker-compose.yml", "docker-compose.vllm.yml", "Dockerfile")
    )
    for variable, image in {
        **FOREIGN,
        "LACUNA_API_IMAGE": "lacuna-api:latest",
        "LACUNA_MODEL_IMAGE": "lacuna-model:latest",
    }.items():
        assert f"{{{variable}:-{image}}}" in read, variable


@pytest.mark.parametrize("failing", sorted([*FOREIGN.values(), *OWN.values()]))
def test_nothing_is_written_where_one_digest_is_not_known(tmp_path: Path, failing: str) -> None:
    def digest_of(image: str) -> str:
        if image == failing:
            raise Unavailable("The registry does not answer.")
        return DIGEST

    with pytest.raises(Unavailable):
        pin(tmp_path, OWN, digest_of)
    assert list(tmp_path.iterdir()) == []


def test_image_of_ours_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no image apis; there are api, model"):
        pin(tmp_path, {"apis": "x:1"}, lambda _: DIGEST)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (f'{{"digest": "{DIGEST}"}}', None),
        ('{"digest": "sha256:123"}', "is no digest"),
        ('{"digest": "latest"}', "is no digest"),
        ("not JSON", "has no digest"),
        ("{}", "has no digest"),
        ("[]", "has no digest"),
    ],
)
def test_answer_of_the_registry_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, error: str | None
) -> None:
    """A stand-in for `docker`: no registry is reached in a test."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if error is None:
        assert resolve("postgres:18") == DIGEST
    else:
        with pytest.raises(BadInput, match=error):
            resolve("postgres:18")


def test_registry_that_refuses_is_said_with_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'ERROR: not found' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Unavailable, match=r"The digest of postgres:18 is not known: ERROR: not found"):
        resolve("postgres:18")


@pytest.mark.parametrize(
    ("image", "name"),
    [("postgres:18", "postgres"), ("registry:5000/a/b:1", "registry:5000/a/b"), ("registry:5000/a", "registry:5000/a")],
)
def test_name_of_an_image_has_no_tag(image: str, name: str) -> None:
    assert name_of(image) == name
