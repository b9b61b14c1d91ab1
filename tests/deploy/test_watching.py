"""The dashboard and the alerts: by Prometheus's own tool, and held to the metrics that there are."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

import commerce.jobs.registered
import core.ratelimit.shared
from tests.conftest import needs
from tests.fixtures.processes import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "portico.json").read_text())
PROVISIONED = ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def asked() -> list[str]:
    """Every PromQL expression of the dashboard."""
    of_panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*of_panels, *(each["expr"] for each in DASHBOARD["annotations"]["list"])]


def named(expression: str) -> set[str]:
    """The metrics in it."""
    return set(re.findall(r"\bportico[_:][a-z0-9_:]+", re.sub(r'"[^"]*"', "", expression)))


def promtool(*arguments: str | Path) -> str:
    tool = needs("promtool", how="Debian has it in its package prometheus")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_have_no_fault() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


def test_each_alert_says_what_it_is_for_and_is_silent_otherwise() -> None:
    assert "SUCCESS" in promtool("test", "rules", ROOT / "tests" / "deploy" / "prometheus" / "alerts_test.yml")


def test_every_alert_is_tried() -> None:
    tried = yaml.safe_load((ROOT / "tests" / "deploy" / "prometheus" / "alerts_test.yml").read_text())["tests"]
    fired = {each["alertname"] for test in tried for each in test["alert_rule_test"] if each["exp_alerts"]}

    assert fired == {rule["alert"] for rule in RULES if "alert" in rule}


def test_every_panel_asks_what_prometheus_understands(tmp_path: Path) -> None:
    as_on_screen = [expression.replace("$__rate_interval", "5m") for expression in asked()]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(as_on_screen)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "panels.yml")


async def test_every_metric_that_is_asked_for_is_there(
    client: httpx2.AsyncClient, metrics_reader: dict[str, str]
) -> None:
    # With the metrics of what is loaded for jobs, and where there is Redis, alone.
    assert None not in (commerce.jobs.registered, core.ratelimit.shared)
    text = (await client.get("/internal/metrics", headers=metrics_reader)).text
    there = {rule["record"] for rule in RULES if "record" in rule}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        there |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}

    wanted = set().union(*map(named, [*asked(), *(rule["expr"] for rule in RULES)]))

    assert wanted - there == set()


def test_dashboard_reads_the_source_that_is_provisioned() -> None:
    provisioned = {each["uid"] for each in yaml.safe_load(PROVISIONED.read_text())["datasources"]}

    found = set(re.findall(r'"datasource": \{[^}]*"uid": "([^"]*)"', json.dumps(DASHBOARD)))

    assert found == {"prometheus"} <= provisioned
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "prometheus"
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}


def test_panels_have_their_own_places() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: str(rule["alert"]))
def test_alert_leads_to_what_is_to_be_done(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")

    assert page == "docs/operations.md"
    assert anchor == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in OPERATIONS
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_page_knows_no_alert_that_is_gone() -> None:
    assert re.findall(r"^### (Portico\w+)$", OPERATIONS, re.MULTILINE) == [
        rule["alert"] for rule in RULES if "alert" in rule
    ]
