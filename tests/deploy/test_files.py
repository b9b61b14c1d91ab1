"""What no schema knows: that the files of deployment agree with each other, and with the code that they start."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import working
from gateway.server import DRAIN_SECONDS
from tests.deploy.files import KUBERNETES, compose, instructions, manifest, pods
from tests.fixtures.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
USER = 10001
OURS = ("migrate", "gateway", "worker")


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def graceful_timeout() -> int:
    """As gunicorn.conf.py says it, which cannot be run twice in a process."""
    (sum_,) = re.findall(
        r"^graceful_timeout = DRAIN_SECONDS \+ (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE
    )
    return DRAIN_SECONDS + int(sum_)


def test_nothing_is_killed_before_it_has_drained() -> None:
    gateway, worker = pods()["gateway"], pods()["worker"]
    pause = gateway["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    services = compose()["services"]

    assert graceful_timeout() > DRAIN_SECONDS
    assert pause + graceful_timeout() < gateway["terminationGracePeriodSeconds"]
    assert graceful_timeout() < seconds(services["gateway"]["stop_grace_period"])
    assert worker["terminationGracePeriodSeconds"] > working._DRAIN_SECONDS + 10
    assert seconds(services["worker"]["stop_grace_period"]) > working._DRAIN_SECONDS + 10


def test_dependency_that_is_away_for_a_moment_takes_no_pod_from_its_balancer() -> None:
    ready = pods()["gateway"]["containers"][0]["readinessProbe"]

    assert (ready["failureThreshold"] - 1) * ready["periodSeconds"] > 20


def test_probes_ask_what_they_are_for() -> None:
    container = pods()["gateway"]["containers"][0]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}

    assert asked == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    for name in asked:  # or PORTICO_TRUSTED_HOSTS refuses them
        assert container[name]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_upgrade_takes_none_away_before_another_is_ready(name: str) -> None:
    strategy = manifest("Deployment", name)["spec"]["strategy"]

    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


@pytest.mark.parametrize("name", ["gateway", "worker", "migrate"])
def test_pod_is_contained(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]

    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}  # noqa: S108
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_what_selects_pods_finds_those_of_its_name(name: str) -> None:
    deployment = manifest("Deployment", name)["spec"]
    labels = deployment["template"]["metadata"]["labels"]

    assert deployment["selector"]["matchLabels"] == labels
    assert manifest("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == labels
    assert manifest("NetworkPolicy", f"into-{name}")["spec"]["podSelector"]["matchLabels"] == labels
    if name == "gateway":
        assert manifest("Service", name)["spec"]["selector"] == labels
        assert "replicas" not in deployment  # the autoscaler's
        assert manifest("HorizontalPodAutoscaler", name)["spec"]["scaleTargetRef"]["name"] == name


def test_kustomization_has_every_manifest_but_the_examples() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        listed = yaml.safe_load(path.read_text())["resources"]
        there = {each.name for each in path.parent.glob("*.yaml")} - {"kustomization.yaml"}
        assert set(listed) == {name for name in there if ".example." not in name}


def test_containers_read_the_settings_and_secrets_that_there_are() -> None:
    for pod in pods().values():
        assert pod["containers"][0]["envFrom"] == [
            {"configMapRef": {"name": manifest("ConfigMap", "portico")["metadata"]["name"]}},
            {"secretRef": {"name": manifest("Secret", "portico")["metadata"]["name"]}},
        ]


def test_pods_run_the_commands_that_are_tried_as_services() -> None:
    """By test_image.py; the gateway's is the image's own."""
    services, containers = compose()["services"], {name: pod["containers"][0] for name, pod in pods().items()}

    for name in ("migrate", "worker"):
        assert containers[name]["command"] == services[name]["command"]
    assert not {"command", "args", "entrypoint"} & (containers["gateway"].keys() | services["gateway"].keys())


def test_every_file_runs_the_same_image_of_this_version() -> None:
    wanted = f"portico:{VERSION}"
    services = compose()["services"]

    assert {services[name]["image"] for name in OURS} == {wanted}
    assert {pod["containers"][0]["image"] for pod in pods().values()} == {wanted}
    assert f'org.opencontainers.image.version="{VERSION}"' in instructions("LABEL")[0]
    for path in KUBERNETES.rglob("kustomization.yaml"):
        (image,) = yaml.safe_load(path.read_text())["images"]
        assert (image["name"], image["newTag"]) == ("portico", VERSION)


def test_image_is_of_the_packages_that_are_ours_and_runs_as_nobody_of_note() -> None:
    copied = {argument.split()[-1] for argument in instructions("COPY") if not argument.startswith("--from")}
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert packages <= copied
    assert "*" in ignored
    for name in {*packages, "locks", "pyproject.toml", "README.md", "LICENSE", "gunicorn.conf.py"}:
        assert f"!{name}" in ignored
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert instructions("VOLUME") == ['["/data", "/tmp"]']
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert len(set(instructions("FROM"))) == 2  # one base, built on and run on


def test_every_image_has_a_tag() -> None:
    images = [service["image"] for service in compose()["services"].values()]

    for image in [*images, f"python:{instructions('ARG')[0].partition('=')[2]}"]:
        assert re.fullmatch(r"[a-z/]+:v?\d[\w.-]*", image), image


def services_() -> list[Any]:
    return [pytest.param(service, id=name) for name, service in compose()["services"].items()]


@pytest.mark.parametrize("service", services_())
def test_service_is_contained_bounded_and_asked_how_it_is(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert "privileged" not in service
    if "build" not in service:  # the migrations end by themselves
        assert "cpus" in service
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_services_wait_for_what_they_need() -> None:
    services = compose()["services"]
    waits = {
        name: {other: each["condition"] for other, each in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }

    migrated = {"migrate": "service_completed_successfully", "valkey": "service_healthy"}
    assert waits["migrate"] == {"postgres": "service_healthy"}
    assert waits["gateway"] == waits["worker"] == migrated
    for name, service in services.items():  # the image's own, for the gateway
        assert name in ("gateway", "migrate") or "test" in service["healthcheck"], name


def test_compose_gives_no_secret_away_and_the_example_names_all_that_it_asks_for() -> None:
    text = (ROOT / "compose.yaml").read_text()
    example = (ROOT / ".env.example").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    offered = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))

    assert asked <= offered
    assert not re.search(r"^\w*(SECRET|TOKEN|PASSWORD)\w*=.+", example, re.MULTILINE)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_health_checks_and_scrapes_are_of_trusted_hosts() -> None:
    (hosts,) = re.findall(r"^PORTICO_TRUSTED_HOSTS=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (gateway,) = [job for job in scraped if job["job_name"] == "portico-gateway"]

    assert {"localhost", "gateway"} <= set(hosts.split(","))
    assert gateway["static_configs"] == [{"targets": ["gateway:8000"]}]
    assert gateway["metrics_path"] == "/internal/metrics"


def test_what_the_monitors_read_is_mounted() -> None:
    services = compose()["services"]
    rules = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["rule_files"]
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/portico.yml").read_text())
    mounted = services["grafana"]["volumes"][0].split(":")

    assert services["prometheus"]["volumes"][0] == "./deploy/prometheus:/etc/prometheus:ro"
    assert rules == ["alerts.yml"]
    assert mounted == ["./deploy/grafana", "/etc/portico", "ro"]
    assert services["grafana"]["environment"]["GF_PATHS_PROVISIONING"] == f"{mounted[1]}/provisioning"
    assert provider["providers"][0]["options"]["path"] == f"{mounted[1]}/dashboards"
    assert Path(ROOT / "deploy/grafana/provisioning").is_dir()


def test_every_setting_that_is_set_is_one() -> None:
    names = set(compose()["x-portico"]["environment"]) | set(manifest("ConfigMap", "portico")["data"])
    names |= set(manifest("Secret", "portico")["stringData"])
    names |= set(re.findall(r"\b(PORTICO_\w+)=", " ".join(instructions("ENV")) + (ROOT / ".env.example").read_text()))
    known = set(re.findall(r"`(PORTICO_\w+)`", (ROOT / "docs/operations.md").read_text()))

    assert {name for name in names if name.startswith("PORTICO_")} <= known
