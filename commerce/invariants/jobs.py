"""The nightly check."""

from dataclasses import asdict
from typing import Any

import structlog

from commerce.invariants.checks import INVARIANTS, check
from core.jobs.registry import Tick, queue, scheduled
from core.jobs.run import JobRun

log = structlog.get_logger("portico.invariants")
CHECKS = queue("checks", per_process=1, overall=1).name


@scheduled("invariants.check", cron="30 3 * * *", queue=CHECKS, max_attempts=3, timeout_seconds=3600)
async def check_invariants(run: JobRun, _tick: Tick) -> dict[str, Any]:
    """Each on one moment of the database. A check that finds something has succeeded: what it found is its result."""
    findings = []
    for number, invariant in enumerate(INVARIANTS):
        await run.progress(number / len(INVARIANTS), invariant.name)
        async with run.resources.database.read() as session:
            findings.append(await check(session, invariant))
    broken = [finding.name for finding in findings if finding.violations]
    if broken:
        log.error("invariants_broken", invariants=broken)
    return {"ok": not broken, "invariants": [asdict(finding) for finding in findings]}
