"""Maintenance beside runs: states, digests and rows stay; what reads a compacted table neither fails nor becomes stale."""

from __future__ import annotations

from lakesmith.engine.maintaining import maintain
from lakesmith.errors import ExitCode
from lakesmith.faults import FaultPoint, Side, Step, armed
from workspaces import Workspace, digests

SILVER, USAGE = "silver.readings", "gold.usage"


def test_a_lake_that_is_maintained_is_as_fresh_as_before(meters: Workspace) -> None:
    meters.edit("conf/dev.yml", "{}", "staging: {rows_per_file: 1}")
    meters.land(
        2,
        ("m1", "x", "High St"),
        ("m2", 6, "Low St"),
        ("m3", "y", "Low St"),
        *(("m4", n, "S") for n in range(9)),
    )
    assert meters.run(1, 3).exit_code is ExitCode.DONE
    states, made, rows = meters.states(1, 3), digests(meters.context()), meters.rows(SILVER)

    done: list[int] = []

    def compact_its_input(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUBLISH, USAGE) and not done:
            done.extend(
                len(t.compacted) for t in maintain(meters.context(), ["bronze.readings", SILVER]).tables
            )

    meters.edit("conf/base.yml", "tariff: 2", "tariff: 3")
    with armed(compact_its_input):
        night = meters.run(1, 3, [USAGE])
    assert (night.exit_code, night.tables[USAGE].error) == (ExitCode.DONE, None)
    assert done
    assert sum(done) >= 2
    assert meters.run(1, 3).exit_code is ExitCode.DONE

    assert all(t.error is None for t in maintain(meters.context()).tables)
    assert meters.states(1, 3) == states
    after = digests(meters.context())
    assert {t: after[t] for t in ("bronze.readings", SILVER)} == {
        t: made[t] for t in ("bronze.readings", SILVER)
    }
    assert meters.rows(SILVER) == rows
    assert meters.run(1, 3).spark_jobs == 0
