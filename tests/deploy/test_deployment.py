"""The deployment files are valid, and each process gets only what it needs (checked offline)."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.core import metrics

PROJECT_ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
FOREIGN_KINDS = {"PodMonitor"}
WITHOUT_TORCH = {"request", "control-loop", "beat", "migrate", "bootstrap"}
SETTINGS = {"S3_ENDPOINT", "MODEL_ID", "MODEL_SOURCE", "RECIPE", "LOG_FORMAT", "METRICS_HOST", "METRICS_PORT"}
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


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    command = [str(part) for part in argv]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment files with freshly drawn secrets."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT_ROOT / "k8s", copy / "k8s", ignore=shutil.ignore_patterns("secrets", "pinned"))
    for name in ("docker-compose.yml", "docker-compose.vllm.yml", "Dockerfile"):
        shutil.copy(PROJECT_ROOT / name, copy / name)
    run(BIN / "lacuna", "secrets", cwd=copy)
    return copy


@pytest.fixture(scope="module")
def compose(project: Path) -> dict[str, Any]:
    run(BIN / "docker-compose", "config", "-q", cwd=project)
    services: dict[str, Any] = yaml.safe_load(run(BIN / "docker-compose", "config", cwd=project))["services"]
    return services


def build(project: Path, folder: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send, validated; kinds that a cluster defines itself are not known here."""
    manifests = list(yaml.safe_load_all(run(BIN / "kubectl", "kustomize", folder, cwd=project)))
    known = [manifest for manifest in manifests if manifest["kind"] not in FOREIGN_KINDS]
    (project / "all.yaml").write_text(yaml.safe_dump_all(known))
    run(BIN / "kubernetes-validate", "--strict", "all.yaml", cwd=project)
    return manifests


@pytest.fixture(scope="module", params=["base", "overlays/gpu", "overlays/vllm"])
def objects(project: Path, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return build(project, f"k8s/{request.param}")


@pytest.fixture(scope="module")
def behind_vllm(project: Path) -> list[dict[str, Any]]:
    return build(project, "k8s/overlays/vllm")


def workloads(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Container name -> container, of every pod."""
    pods = [
        manifest["spec"]["template"]["spec"]
        for manifest in objects
        if manifest["kind"] in ("Deployment", "Job", "StatefulSet")
    ]
    return {c["name"]: c | {"pod": pod} for pod in pods for c in [*pod.get("initContainers", []), *pod["containers"]]}


def secrets_of(workload: dict[str, Any]) -> list[str]:
    """The secrets that a container is given, without the hashes in their names."""
    return [ref["secretRef"]["name"].rpartition("-")[0] for ref in workload["envFrom"] if "secretRef" in ref]


def peers(objects: list[dict[str, Any]], direction: str) -> dict[str, set[tuple[str, int]]]:
    """For each app, whom the policies let it reach (`egress`) or be reached by (`ingress`), with the port."""
    found: dict[str, set[tuple[str, int]]] = {}
    for policy in (item["spec"] for item in objects if item["kind"] == "NetworkPolicy"):
        for rule in policy.get(direction, ()):
            others = [apps(peer["podSelector"]) for peer in rule.get("to" if direction == "egress" else "from", ())
                      if "podSelector" in peer and "namespaceSelector" not in peer]  # fmt: skip
            for app in apps(policy["podSelector"]):
                reached = {(other, port["port"]) for names in others for other in names for port in rule["ports"]}
                found.setdefault(app, set()).update(reached)
    return found


def apps(selector: dict[str, Any]) -> list[str]:
    if "matchExpressions" in selector:
        return list(selector["matchExpressions"][0]["values"])
    return [selector["matchLabels"]["app"]] if "matchLabels" in selector else []


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
    for name, wanted in SECRETS.items():
        observed = {"METRICS_TOKEN"} if name in PROCESSES else set()
        held = {key.removeprefix("LACUNA_") for key in compose[name]["environment"]}
        assert held - SETTINGS == wanted | observed
        assert {key.removeprefix("LACUNA_") for key in given[name]} == wanted
        engine = ["engine"] if name == "inference" and "vllm" in workloads(objects) else []
        assert secrets_of(workloads(objects)[name]) == [*(["metrics"] if observed else []), name, *engine]


def test_each_service_speaks_to_the_database_as_itself(compose: dict[str, Any]) -> None:
    roles = {"control-loop": "control", "bootstrap": "request"}
    for name in SECRETS.keys() - {"beat", "migrate"}:
        assert f"//lacuna_{roles.get(name, name)}:" in compose[name]["environment"]["LACUNA_DATABASE_URL"]


def test_shredding_keys_are_seen_by_who_opens_material_and_outlive_every_container(
    compose: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    """Audit only reads them; `bootstrap` sets the volume up; without it nothing is sealed."""
    place = "/var/lib/lacuna/shredding-keys"
    expected = {"bootstrap": False, "request": False, "control-loop": False, "refit": False, "audit": True}
    mounted = {
        name: volume.get("read_only", False)
        for name, service in compose.items()
        for volume in service.get("volumes", [])
        if volume["target"] == place
    }
    assert mounted == expected
    in_pods = {
        container["name"]: mount.get("readOnly", False)
        for thing in objects
        if thing["kind"] in {"Deployment", "Job"}
        for container in thing["spec"]["template"]["spec"]["containers"]
        for mount in container["volumeMounts"]
        if mount["mountPath"] == place
    }
    assert in_pods == expected
    claims = {
        thing["metadata"]["name"]: thing["spec"]["accessModes"]
        for thing in objects
        if thing["kind"] == "PersistentVolumeClaim"
    }
    assert claims["shredding-keys"] == ["ReadWriteMany"]
    assert f"LACUNA_SHREDDING_KEYS={place}" in (PROJECT_ROOT / "Dockerfile").read_text()


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
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
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


def test_each_process_reaches_what_it_has_secrets_for_and_nothing_else(objects: list[dict[str, Any]]) -> None:
    ports = {"DATABASE_URL": ("postgres", 5432), "REDIS_URL": ("redis", 6379), "S3_ACCESS_KEY": ("s3", 8333)}
    egress, ingress = peers(objects, "egress"), peers(objects, "ingress")
    for name in PROCESSES | {"migrate"}:
        wanted = {peer for secret, peer in ports.items() if secret in SECRETS[name]}
        if name == "inference" and "vllm" in workloads(objects):
            wanted.add(("vllm", 8000))
        assert egress.get(name, set()) == wanted, name
        for peer, port in wanted:
            assert (name, port) in ingress[peer]
    for store in ("postgres", "redis", "s3"):
        assert not egress.get(store)


def test_only_the_control_loop_reaches_public_addresses_and_no_private_one(objects: list[dict[str, Any]]) -> None:
    outside = {}
    for policy in (item["spec"] for item in objects if item["kind"] == "NetworkPolicy"):
        for rule in policy.get("egress", ()):
            for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
                outside[apps(policy["podSelector"])[0], block["cidr"]] = set(block["except"])
    assert {app for app, _ in outside} == {"control-loop"}
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"}
    assert private <= outside["control-loop", "0.0.0.0/0"]
    assert "fc00::/7" in outside["control-loop", "::/0"]


def test_metrics_are_read_by_prometheus_alone_and_with_a_token(
    objects: list[dict[str, Any]], compose: dict[str, Any]
) -> None:
    policies = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "NetworkPolicy"}
    assert set(apps(policies["metrics"]["podSelector"])) == PROCESSES
    (rule,) = policies["metrics"]["ingress"]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert rule["ports"] == [{"port": 9464}]
    for name, policy in policies.items():
        if name != "metrics":
            assert 9464 not in [port["port"] for r in policy.get("ingress", ()) for port in r["ports"]], name
    for name in PROCESSES:
        assert "metrics" in secrets_of(workloads(objects)[name])
        assert compose[name]["environment"]["LACUNA_METRICS_TOKEN"]
        published = [port["target"] for port in compose[name].get("ports", ())]
        assert 9464 not in published
    token = next(
        item for item in objects if item["kind"] == "Secret" and item["metadata"]["name"].startswith("metrics-")
    )
    for monitor in (item for item in objects if item["kind"] == "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["authorization"]["credentials"] == {
            "name": token["metadata"]["name"], "key": "LACUNA_METRICS_TOKEN",
        }  # fmt: skip
        assert set(apps(monitor["spec"]["selector"])) == PROCESSES
    assert "PodMonitor" in {item["kind"] for item in objects} or "vllm" not in workloads(objects)


def test_there_is_exactly_one_beat_and_nothing_scales_it(objects: list[dict[str, Any]]) -> None:
    beats = [
        item for item in objects if item["kind"] == "Deployment" and "beat" in str(item["spec"]["template"]["spec"])
    ]
    (beat,) = [item for item in beats if item["metadata"]["name"] == "beat"]
    assert (beat["spec"]["replicas"], beat["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert [item["metadata"]["name"] for item in beats if "services.refit.beat" in str(item)] == ["beat"]
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in objects if item["kind"] == "HorizontalPodAutoscaler"}
    assert scaled <= {"inference", "request"}


def test_every_long_running_process_is_probed(objects: list[dict[str, Any]]) -> None:
    for name in PROCESSES:
        workload = workloads(objects)[name]
        ports = {port["name"]: port["containerPort"] for port in workload["ports"]}
        assert ports["metrics"] == 9464
        assert workload["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert workload["livenessProbe"]["httpGet"]["port"] in (*ports, *ports.values())
    for name in ("request", "inference"):
        assert workloads(objects)[name]["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_what_answers_people_survives_the_eviction_of_a_node(objects: list[dict[str, Any]]) -> None:
    budgets = {item["spec"]["selector"]["matchLabels"]["app"]: item["spec"]["minAvailable"]
               for item in objects if item["kind"] == "PodDisruptionBudget"}  # fmt: skip
    answering = {"request", "inference"} | ({"vllm"} if "vllm" in workloads(objects) else set())
    assert budgets == dict.fromkeys(answering, 1)


def test_torch_is_only_in_the_image_of_what_holds_the_model(
    compose: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    for name in PROCESSES | {"migrate", "bootstrap"}:
        target = "api" if name in WITHOUT_TORCH else "model"
        assert compose[name]["build"]["target"] == target
        assert compose[name]["image"].startswith(f"lacuna-{target}:")
        assert workloads(objects)[name]["image"].partition(":")[0] == f"lacuna-{target}"


def test_vllm_is_reached_by_inference_alone_and_with_its_key(behind_vllm: list[dict[str, Any]], project: Path) -> None:
    """Asked directly, it tells everything."""
    assert peers(behind_vllm, "ingress")["vllm"] == {("inference", 8000)}
    assert not peers(behind_vllm, "egress").get("vllm")
    service = next(item for item in behind_vllm if (item["kind"], item["metadata"]["name"]) == ("Service", "vllm"))
    assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    keys = {
        item["metadata"]["name"].rpartition("-")[0]: item["data"] for item in behind_vllm if item["kind"] == "Secret"
    }
    assert keys["engine"]["LACUNA_ENGINE_KEY"] == keys["vllm"]["VLLM_API_KEY"]
    for name in PROCESSES - {"inference"}:
        assert not {"engine", "vllm"} & set(secrets_of(workloads(behind_vllm)[name]))
    vllm = workloads(behind_vllm)["vllm"]
    assert secrets_of(vllm) == ["vllm"]
    assert vllm["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in workloads(behind_vllm)["inference"]["resources"]["limits"]
    url = next(item for item in behind_vllm if (item["kind"], item["metadata"]["name"]) == ("ConfigMap", "engine"))
    assert url["data"]["LACUNA_ENGINE_URL"] == "http://vllm:8000/v1"
    assert url["data"]["LACUNA_ENGINE_MODEL"] in vllm["args"]


def test_inference_is_scaled_by_a_metric_that_it_exposes(behind_vllm: list[dict[str, Any]]) -> None:
    scaler = next(item["spec"] for item in behind_vllm
                  if (item["kind"], item["metadata"]["name"]) == ("HorizontalPodAutoscaler", "inference"))  # fmt: skip
    (metric,) = scaler["metrics"]
    name = metric["pods"]["metric"]["name"]
    assert name in {row.name for row in metrics.rows(metrics.INFERENCE)}
    adapter = yaml.safe_load((PROJECT_ROOT / "monitoring/prometheus/adapter.yml").read_text())["rules"]
    assert [rule["name"]["matches"] for rule in adapter] == [name]
    deployment = next(
        item for item in behind_vllm if (item["kind"], item["metadata"]["name"]) == ("Deployment", "inference")
    )
    assert "replicas" not in deployment["spec"]  # else every apply sets the number back


def test_compose_in_front_of_vllm_keeps_it_in_a_network_with_inference_alone(project: Path) -> None:
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.vllm.yml")
    environment = {**os.environ, "LACUNA_MODELS": "/srv/models"}
    text = run(BIN / "docker-compose", *files, "config", cwd=project, env=environment)
    both = yaml.safe_load(text)
    inside = {name for name, service in both["services"].items() if "engine" in service["networks"]}
    assert inside == {"vllm", "inference"}
    assert both["networks"]["engine"]["internal"] is True
    assert "ports" not in both["services"]["vllm"]
    given = both["services"]["inference"]["environment"]
    assert given["LACUNA_ENGINE_KEY"] == both["services"]["vllm"]["environment"]["VLLM_API_KEY"]
    assert given["LACUNA_METRICS_TOKEN"]
