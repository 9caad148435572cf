"""lakesmith_training: trains each model once a week, and when drift or performance has asked for it.

What a gate refuses is never promoted. Where `airflow.approval` is on, a person approves what is.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable

from lakesmith.airflow.declaring import declared
from lakesmith.airflow.training import approval, promotion, training

here = declared(__file__)
models = sorted(here.project.models)

with DAG(
    "lakesmith_training",
    description="A new version of each model, promoted if every gate lets it.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(here.airflow.training, timezone=here.airflow.timezone),
        # A list would wait until each of them has asked.
        assets=AssetAny(*[here.request(model) for model in models]),
    )
    if models
    else None,
    start_date=here.start,
    catchup=False,
    max_active_runs=1,
    default_args=here.defaults,
    tags=["lakesmith"],
    doc_md=__doc__,
) as dag:
    for model in models:
        trained = training(here, model)
        promoted = promotion(here, model, trained)
        if here.airflow.approval:
            approved = approval(here, model, trained)
            trained >> approved >> promoted
        else:
            trained >> promoted
