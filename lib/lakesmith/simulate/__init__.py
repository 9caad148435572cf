"""Seeded source data in the layout of the UCI Online Retail files, with defects and events on demand.

`simulate` writes one landing file for each open day. The same specification gives the same bytes on every
machine, and each file follows from its day alone.
"""

from lakesmith.simulate.defects import Defect
from lakesmith.simulate.events import Event, EventKind, parse_event
from lakesmith.simulate.simulation import simulate
from lakesmith.simulate.spec import SimulationSpec
from lakesmith.simulate.summary import Planted, SimulationSummary

__all__ = [
    "Defect",
    "Event",
    "EventKind",
    "Planted",
    "SimulationSpec",
    "SimulationSummary",
    "parse_event",
    "simulate",
]
