"""npm's audit suite of GraphQL over HTTP, against a server: docs/conformance/graphql-over-http.md is what it found."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.clients.shop import Shop
from tests.fixtures.processes import ROOT

HERE = Path(__file__).parent
REPORT = ROOT / "docs" / "conformance" / "graphql-over-http.md"
LEVELS = ("MUST", "SHOULD", "MAY")


def test_every_must_and_should_of_graphql_over_http_is_kept(node: str, shop: Shop) -> None:
    output = shop.run(node, str(HERE / "audit.mjs"), shop.address)

    results = [json.loads(line) for line in output.splitlines()]
    failed = [each for each in results if each["status"] != "ok"]
    assert [each for each in failed if level(each) != "MAY"] == []
    assert report(results) == REPORT.read_text()


def level(result: dict[str, Any]) -> str:
    found: str = result["name"].partition(" ")[0]
    assert found in LEVELS
    return found


def report(results: list[dict[str, Any]]) -> str:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    version = packages["node_modules/graphql-http"]["version"]
    of_level, kept = Counter(map(level, results)), Counter(level(each) for each in results if each["status"] == "ok")
    rows = "\n".join(f"| {name} | {of_level[name]} | {kept[name]} |" for name in LEVELS)
    left = "\n".join(f"* {each['id']}: {each['name']}." for each in results if each["status"] != "ok")
    return f"""# GraphQL over HTTP

The audit suite of npm's graphql-http {version}, {len(results)} audits, run against `portico serve` by
`tests/clients/test_graphql_http_audit.py`, which fails when it finds something else than what stands here.

| Level | Audits | Kept |
|---|---|---|
{rows}

What the specification allows and this server does not do: GET is for registered operations alone
([docs/graphql.md](../graphql.md)), and these send documents of their own.

{left}
"""
