"""lakesmith_backfill: what `lakesmith plan` would run of a range of nights, range by range, with a limit on how many at once.

Parents come first: all ranges of a task are done before those of the tasks that read it. A batch that is fresh is left alone.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule

from lakesmith.airflow.backfills import PlanBackfill
from lakesmith.airflow.declaring import declared
from lakesmith.airflow.operators import LakesmithCommand, LakesmithSubmit
from lakesmith.errors import ExitCode

here = declared(__file__)
tables = sorted(here.graph.order)

with DAG(
    "lakesmith_backfill",
    description="A range of nights, or what is stale in it.",
    schedule=None,
    start_date=here.start,
    catchup=False,
    max_active_runs=1,
    default_args=here.defaults,
    params={
        "from": Param(
            None, type=["null", "string"], format="date", description="The first night; none: of history."
        ),
        "to": Param(
            None,
            type=["null", "string"],
            format="date",
            description="The last night, included; none: the newest.",
        ),
        "tables": Param([], type="array", items={"type": "string", "enum": tables}, description="None: all."),
        "stale_only": Param(
            False, type="boolean", description="Only what was published and has changed since."
        ),
    },
    tags=["lakesmith"],
    doc_md=__doc__,
) as dag:
    tasks = {}
    for work in here.work:
        plan = PlanBackfill(
            task_id=f"plan_{work.name}",
            **here.place,
            tables=work.tables,
            trigger_rule=TriggerRule.NONE_FAILED,
        )
        plan.set_upstream([tasks[name] for name in work.needs])
        tasks[work.name] = LakesmithSubmit.partial(
            task_id=work.name,
            **here.submission(work),
            job="jobs/night.py",
            max_active_tis_per_dagrun=here.airflow.backfills,
        ).expand(application_args=plan.output)
    # What is mended now is no alert any more; where no night is on record, nothing is to be checked (exit code 4).
    alerts = LakesmithCommand(
        task_id="alerts",
        **here.place,
        arguments=["alerts", "check"],
        fine=[ExitCode.MISSING],
        trigger_rule=TriggerRule.NONE_FAILED,
    )
    alerts.set_upstream(list(tasks.values()))
