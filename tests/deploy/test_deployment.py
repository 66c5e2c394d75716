"""The deployment files are valid, and each process gets only what it needs (checked offline)."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT_ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PROCESSES = {"request", "control-loop", "inference", "refit", "audit", "beat"}
SECRETS = {
    "migrate": {"DATABASE_URL", "ROLE_PASSWORDS"},
    "bootstrap": {"DATABASE_URL", "FIRST_KEYS"},
    "request": {
        "DATABASE_URL",
        "REDIS_URL",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "KEK",
        "VERIFY_KEYS",
        "LOG_VERIFY_KEYS",
    },
    "control-loop": {
        "DATABASE_URL",
        "REDIS_URL",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "KEK",
        "LOG_KEY",
        "LOG_VERIFY_KEYS",
    },
    "refit": {"DATABASE_URL", "REDIS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "KEK", "SIGNING_KEY"},
    "audit": {"DATABASE_URL", "REDIS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "KEK", "VERIFY_KEYS"},
    "inference": {"DATABASE_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "KEK", "VERIFY_KEYS"},
    "beat": {"REDIS_URL"},
}


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in argv], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment files with freshly drawn secrets."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT_ROOT / "k8s", copy / "k8s", ignore=shutil.ignore_patterns("secrets"))
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(PROJECT_ROOT / name, copy / name)
    run(BIN / "lacuna", "secrets", cwd=copy)
    return copy


@pytest.fixture(scope="module")
def compose(project: Path) -> dict[str, Any]:
    run(BIN / "docker-compose", "config", "-q", cwd=project)
    services: dict[str, Any] = yaml.safe_load(run(BIN / "docker-compose", "config", cwd=project))["services"]
    return services


@pytest.fixture(scope="module", params=["base", "overlays/gpu"])
def objects(project: Path, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    text = run(BIN / "kubectl", "kustomize", f"k8s/{request.param}", cwd=project)
    (project / "all.yaml").write_text(text)
    run(BIN / "kubernetes-validate", "--strict", "all.yaml", cwd=project)
    return list(yaml.safe_load_all(text))


def workloads(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Container name -> container, of every pod."""
    pods = [
        manifest["spec"]["template"]["spec"]
        for manifest in objects
        if manifest["kind"] in ("Deployment", "Job", "StatefulSet")
    ]
    return {c["name"]: c | {"pod": pod} for pod in pods for c in [*pod.get("initContainers", []), *pod["containers"]]}


def module(command: list[str]) -> str:
    """The module of ours that a command starts."""
    return next(word.partition(":")[0] for word in command if word.startswith(("services.", "migrations.")))


def test_dockerfile_passes_hadolint(project: Path) -> None:
    run(BIN / "hadolint", "Dockerfile", cwd=project)


def test_every_process_is_in_both_and_starts_what_lacuna_up_starts(
    compose: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    up = "".join((PROJECT_ROOT / "shared/devstack" / name).read_text() for name in ("stack.py", "processes.py"))
    for name in PROCESSES | {"migrate", "bootstrap"}:
        started = module(compose[name]["command"])
        assert importlib.util.find_spec(started) is not None
        assert module(workloads(objects)[name]["command"]) == started
        assert started in up or f"services.{{service}}.{started.rpartition('.')[2]}" in up or name == "migrate"
        assert compose[name]["command"] == workloads(objects)[name]["command"]


def test_each_container_is_given_its_own_secrets_and_no_others(
    compose: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    given = {
        manifest["metadata"]["name"].rpartition("-")[0]: set(manifest["data"])
        for manifest in objects
        if manifest["kind"] == "Secret"
    }
    settings = {"S3_ENDPOINT", "MODEL_ID", "MODEL_SOURCE", "RECIPE"}
    for name, wanted in SECRETS.items():
        held = {key.removeprefix("LACUNA_") for key in compose[name]["environment"]}
        assert held - settings == wanted
        assert {key.removeprefix("LACUNA_") for key in given[name]} == wanted
        refs = [ref["secretRef"]["name"].rpartition("-")[0] for ref in workloads(objects)[name]["envFrom"][1:]]
        assert refs == [name]


def test_each_service_speaks_to_the_database_as_itself(compose: dict[str, Any]) -> None:
    roles = {"control-loop": "request", "bootstrap": "request"}
    for name in SECRETS.keys() - {"beat", "migrate"}:
        assert f"//lacuna_{roles.get(name, name)}:" in compose[name]["environment"]["LACUNA_DATABASE_URL"]


def test_no_container_runs_as_root_or_writes_to_its_image(objects: list[dict[str, Any]]) -> None:
    for workload in workloads(objects).values():
        assert workload["pod"]["securityContext"]["runAsNonRoot"]
        assert not workload["pod"]["automountServiceAccountToken"]
        assert workload["securityContext"]["readOnlyRootFilesystem"]
        assert workload["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert workload["resources"]["limits"]["memory"]


def test_outside_traffic_reaches_only_request_and_inference(
    objects: list[dict[str, Any]], compose: dict[str, Any]
) -> None:
    policies = [item["spec"] for item in objects if item["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress"]} in policies
    exposed = {
        p["podSelector"]["matchLabels"]["app"] for p in policies if p.get("ingress") and "from" not in p["ingress"][0]
    }
    assert exposed == {"request", "inference"}
    published = {name: [port["host_ip"] for port in item.get("ports", [])] for name, item in compose.items()}
    assert {name for name, hosts in published.items() if hosts} == {"request", "inference"}
    assert {host for hosts in published.values() for host in hosts} == {"127.0.0.1"}


def test_secrets_are_drawn_once_and_are_private(project: Path) -> None:
    folder = project / "k8s/base/secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    run(BIN / "lacuna", "secrets", cwd=project)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
