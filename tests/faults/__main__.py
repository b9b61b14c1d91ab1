"""`make faults`: every fault under load, one after the other; prints the table, and `--json FILE` writes the rows.
`--short` is what CI runs. Exits with 1 where anything was lost, doubled or wrong.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness.limits import at_most_seconds, end_in_order
from benchmarks.report import table
from tests.faults import counting, storms
from tests.faults.hosts import SERVICES, cut_off, second_host, ways
from tests.faults.kills import LONG, SHORT
from tests.faults.proving import Outcome, prove
from tests.faults.site import Site, a_site

_MOST_SECONDS = 1800
_CUT_SECONDS = {True: 1.0, False: 20.0}  # by whether it is short


def outcomes(site: Site, *, short: bool) -> Iterator[Outcome]:
    for fault in SHORT if short else LONG:
        yield prove(site, fault)
    for way, namespace in ways().items():
        with second_host(site, namespace=namespace) as host:
            addresses = [site.gateway.address, host.gateway.address]
            for service in SERVICES:
                outcome = prove(site, cut_off(host, service, _CUT_SECONDS[short], way), addresses)
                yield outcome


def storms_of(site: Site, *, short: bool) -> Iterator[Outcome]:
    """On a site of their own, whose walls are narrow in the short form: a small storm is enough then."""
    operator = storms.furnish(site)
    yield storms.isolation(site, operator, storms.CONNECTIONS[short])
    yield counting.limits(site, operator)
    yield counting.one_key(site, operator, counting.ROUNDS[short], storms.KEY_CONNECTIONS[short])
    yield storms.measured(site, operator, storms.CONNECTIONS[short])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    end_in_order()
    found: list[Outcome] = []
    storming = storms.NARROW if asked.short else storms.ENVIRONMENT
    with at_most_seconds(_MOST_SECONDS):
        for part, environment in ((outcomes, None), (storms_of, storming)):
            with (
                tempfile.TemporaryDirectory() as folder,
                a_site(Path(folder), hasty=asked.short, environment=environment) as site,
            ):
                for outcome in part(site, short=asked.short):
                    sys.stderr.write(f"{outcome.name}: {'; '.join(outcome.faults) or 'as it should be'}\n")
                    found.append(outcome)
    sys.stdout.write(table({each.name: each.rows for each in found}) + "\n")
    if len(ways()) == 1:
        sys.stdout.write("This machine allows no network namespaces: hosts were cut off by the proxy alone.\n")
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    return int(any(each.faults for each in found))


if __name__ == "__main__":
    sys.exit(main())
