"""lakesmith_maintenance: once a week small files are put together, and what nothing needs any more is removed."""

from __future__ import annotations

from airflow.sdk import DAG

from lakesmith.airflow.declaring import declared
from lakesmith.airflow.operators import LakesmithCommand

here = declared(__file__)

with DAG(
    "lakesmith_maintenance",
    description="Compaction, clean-up and checkpoints of every table; no row changes.",
    schedule=here.timetable(here.airflow.maintenance),
    start_date=here.start,
    catchup=False,
    max_active_runs=1,
    default_args=here.defaults,
    tags=["lakesmith"],
    doc_md=__doc__,
) as dag:
    LakesmithCommand(task_id="maintain", **here.place, arguments=["maintain"])
