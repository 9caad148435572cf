"""A Delta table of somebody else as a source, through whole runs: what its days make stale, and whom it must not bring back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from lakesmith.engine.forgetting import forget
from lakesmith.errors import ExitCode
from workspaces import Workspace, day

TABLE, COUNTS = "silver.tenants", "gold.tenants_a_day"

_SOURCE = {
    "source": "tenants",
    "description": "Who lives where, from the billing system.",
    "format": "delta",
    "path": "theirs",
    "date_column": "valid_on",
    "start": date(2024, 1, 1),
    "missing": "empty",
    "columns": {"tenant": {"header": "Tenant"}, "meter": {}},
}
_TENANTS = {
    "table": TABLE,
    "description": "Who lives where.",
    "owner": "grid",
    "job": "jobs/silver/tenants.py",
    "inputs": {"theirs": {"source": "tenants"}},
    "rows": "preserving",
    "key": ["tenant", "meter"],
    "columns": {
        "tenant": {"type": "string", "nullable": False, "subject": True, "description": "Who."},
        "meter": {"type": "string", "nullable": False, "description": "Where."},
    },
}
_COUNTS = {
    "table": COUNTS,
    "description": "How many tenants there are.",
    "owner": "grid",
    "job": "jobs/gold/tenants_a_day.py",
    "inputs": {"tenants": {"table": TABLE, "window": "same_day"}},
    "key": ["tenants"],
    "columns": {"tenants": {"type": "bigint", "nullable": False, "description": "How many."}},
}
_JOBS = {
    TABLE: "def tenants(theirs):\n    return theirs\n",
    COUNTS: "def tenants_a_day(tenants):\n"
    "    return tenants.groupBy('batch_date').agg(F.count('*').alias('tenants'))\n",
}


class Billing(Workspace):
    """The project with the two tables, and what the other team does to theirs."""

    @classmethod
    def beside(cls, meters: Workspace) -> Billing:
        """Three days of tenants and nothing run."""
        made = cls(meters.root)
        conf = made.root / "conf"
        (conf / "sources" / "tenants.yml").write_text(yaml.safe_dump(_SOURCE, sort_keys=False))
        for contract in (_TENANTS, _COUNTS):
            name = str(contract["table"])
            (conf / "tables" / f"{name}.yml").write_text(yaml.safe_dump(contract, sort_keys=False))
            suite = {"name": name, "expectations": [], "meta": {}}
            (conf / "expectations" / f"{name}.json").write_text(json.dumps(suite))
            head = (
                f'from pyspark.sql import functions as F\n\nfrom lakesmith import job\n\n\n@job("{name}")\n'
            )
            (made.root / str(contract["job"])).write_text(head + _JOBS[name])
        made.append(1, ("ann", "m1"), ("17850", "m2"))
        made.append(2, ("bob", "m1"))
        made.append(3, ("17850.0", "m3"), ("bob", "m1"))
        return made

    @property
    def theirs(self) -> Path:
        return self.root / "theirs"

    def append(self, number: int, *tenants: tuple[str, str]) -> None:
        rows = {
            "valid_on": pa.array([day(number)] * len(tenants), pa.date32()),
            "Tenant": [tenant for tenant, _ in tenants],
            "meter": [meter for _, meter in tenants],
        }
        write_deltalake(str(self.theirs), pa.table(rows), mode="append")

    def of_billing(self, first: int, last: int) -> dict[str, str]:
        return {table: self.states(first, last)[table] for table in (TABLE, COUNTS)}


@pytest.fixture
def billing(meters: Workspace, spark_session: SparkSession) -> Billing:
    made = Billing.beside(meters)
    assert made.run(1, 3, tables=[TABLE, COUNTS]).exit_code is ExitCode.DONE
    return made


def test_an_append_to_an_old_day_is_repaired_and_nothing_else(billing: Billing) -> None:
    before, reads = billing.versions(), {r.batch_date: r.inputs[0].version for r in billing.records(TABLE)}
    assert reads == dict.fromkeys((day(1), day(2), day(3)), 2)
    DeltaTable(str(billing.theirs)).optimize.compact()
    assert billing.of_billing(1, 3) == {TABLE: "fresh fresh fresh", COUNTS: "fresh fresh fresh"}
    billing.append(2, ("eve", "m9"))
    assert billing.of_billing(1, 3) == {TABLE: "fresh stale fresh", COUNTS: "fresh stale fresh"}

    assert billing.run(1, 3, tables=[TABLE, COUNTS]).exit_code is ExitCode.DONE

    assert billing.rows(COUNTS, "batch_date", "tenants") == [(day(1), 2), (day(2), 2), (day(3), 2)]
    assert billing.versions() == {**before, TABLE: before[TABLE] + 1, COUNTS: before[COUNTS] + 1}
    [again] = [r for r in billing.records(TABLE) if r.inputs[0].version != 2]
    assert (again.batch_date, again.inputs[0].version) == (day(2), 4)


def test_somebody_forgotten_does_not_come_back_from_it(billing: Billing) -> None:
    done = forget(billing.context(), "17850")

    assert (done.errors, done.exit_code, done.landing_files) == ([], ExitCode.DONE, {})
    assert done.rewritten == {}
    assert done.proof is not None
    assert done.proof.holds
    others = [(day(1), "ann", "m1"), (day(2), "bob", "m1"), (day(3), "bob", "m1")]
    assert billing.rows(TABLE, "batch_date", "tenant", "meter") == others
    assert billing.rows(COUNTS, "batch_date", "tenants") == [(day(n), 1) for n in (1, 2, 3)]
    standing = {r.batch_date: r for r in billing.records(TABLE)}
    assert [(r.read, r.rows, dict(r.dropped)) for _, r in sorted(standing.items())] == [
        (2, 1, {"forgotten": 1}),
        (1, 1, {}),
        (2, 1, {"forgotten": 1}),
    ]

    billing.append(2, ("17850", "m2"), ("zoe", "m4"))
    assert billing.run(2, tables=[TABLE, COUNTS]).exit_code is ExitCode.DONE
    assert billing.rows(TABLE, "batch_date", "tenant", "meter") == sorted([*others, (day(2), "zoe", "m4")])
    # Theirs is theirs.
    assert DeltaTable(str(billing.theirs)).to_pyarrow_table().num_rows == 7
