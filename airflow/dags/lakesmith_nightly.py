"""lakesmith_nightly: the batch of a day, from its landing files to its scores and what is monitored of them.

A run's logical date is its batch. Runs of days that were missed are caught up, one after the other.
"""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule

from lakesmith.airflow.declaring import declared
from lakesmith.airflow.operators import LakesmithCommand, LakesmithSubmit, LandingSensor
from lakesmith.airflow.training import AskForTraining

here = declared(__file__)

with DAG(
    "lakesmith_nightly",
    description="The batch of a day: landing files in, audited tables, scores and monitoring out.",
    schedule=here.timetable(here.airflow.schedule),
    start_date=here.start,
    end_date=here.end,
    catchup=True,
    max_active_runs=1,
    default_args=here.defaults,
    deadline=here.deadlines or None,
    tags=["lakesmith"],
    doc_md=__doc__,
) as dag:
    landing = {
        source: LandingSensor(
            task_id=f"landing_{source}",
            **here.place,
            night=here.night,
            tables=here.reading(source),
        )
        for source in sorted(here.graph.sources)
    }
    tasks = {}
    for work in here.work:
        tasks[work.name] = LakesmithSubmit(
            task_id=work.name,
            **here.submission(work),
            job="jobs/night.py",
            night=here.night,
            application_args=["--date", here.night, *here.named(work)],
            outlets=here.outlets(work),
        )
        tasks[work.name].set_upstream([landing[source] for source in work.sources])
        tasks[work.name].set_upstream([tasks[name] for name in work.needs])

    # Nothing is left to run when its turn comes: it writes down that the night is complete.
    night = LakesmithCommand(task_id="night", **here.place, arguments=["run", "--date", here.night])
    alerts = LakesmithCommand(
        task_id="alerts",
        **here.place,
        arguments=["alerts", "check", "--date", here.night],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    night.set_upstream(list(tasks.values()))
    alerts.set_upstream(list(tasks.values()))
    for model in sorted(here.project.models):
        ask = AskForTraining(
            task_id=f"ask_for_{model}", model=model, checked=alerts.output, outlets=[here.request(model)]
        )
