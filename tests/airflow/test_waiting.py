"""The trigger that waits for files and for batches, asking the real `lakesmith plan`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_tests import Context

from lakesmith.airflow.declaring import opened
from lakesmith.airflow.operators import FailedForGood
from lakesmith.airflow.platform import command_line
from lakesmith.airflow.waiting import BatchesReady

BRONZE = {"bronze.sales_lines": "2010-12-01"}


def trigger(*, until: timedelta, command: list[str] | None = None) -> BatchesReady:
    settings = opened(None, None).settings
    asked = ["plan", "--date", "2010-12-01", "--table", "bronze.sales_lines", "--json"]
    return BatchesReady(
        command or command_line(settings, *asked), BRONZE, 0.1, (datetime.now(UTC) + until).isoformat()
    )


async def first_event(waiting: BatchesReady) -> Any:
    async for event in waiting.run():
        return event.payload
    raise AssertionError("it ended without an event")


def test_it_fires_once_the_file_is_there(lake: Path) -> None:
    folder = lake / "landing" / "online-retail"
    folder.mkdir(parents=True)

    async def landing_meanwhile() -> Any:
        waiting = asyncio.create_task(first_event(trigger(until=timedelta(minutes=2))))
        # Once the first look has begun; whichever look sees the file ends the waiting.
        await asyncio.sleep(0)
        assert not waiting.done()
        (folder / "2010-12-01.csv").write_text(
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        )
        return await waiting

    assert asyncio.run(landing_meanwhile()) == {"waiting": [], "error": ""}


def test_it_gives_up_with_what_never_came_and_the_task_names_it(lake: Path, load: Any) -> None:
    event = asyncio.run(first_event(trigger(until=timedelta(0))))

    assert [(state["table"], state["state"]) for state in event["waiting"]] == [
        ("bronze.sales_lines", "missing")
    ]
    sensor = load("lakesmith_nightly").task_dict["landing_online-retail"]
    with pytest.raises(
        FailedForGood, match=r"waited in vain\. bronze\.sales_lines 2010-12-01: online-retail: no file"
    ):
        sensor.arrived(Context(), event)


def test_a_plan_that_cannot_be_made_ends_the_waiting_with_its_error(lake: Path) -> None:
    settings = opened(None, None).settings
    command = command_line(settings, "plan", "--date", "2010-12-01", "--table", "bronze.nothing", "--json")

    event = asyncio.run(first_event(trigger(until=timedelta(minutes=2), command=command)))

    assert event["waiting"] == []
    assert "there is no table 'bronze.nothing'" in event["error"]


def test_the_triggerer_makes_it_again_from_what_it_says_of_itself(lake: Path) -> None:
    from airflow._shared.module_loading import import_string

    waiting = trigger(until=timedelta(hours=1))
    path, arguments = waiting.serialize()

    assert vars(import_string(path)(**arguments)) | {"_log": None} == vars(waiting) | {"_log": None}
