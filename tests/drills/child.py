"""A process of its own for faults that end one: `python -m drills.child '{"do": ..., "fault": ...}'`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from drills.faults import Fault
from lakesmith.faults import armed


def main(order: dict[str, object]) -> int:
    """Does what the order says, with its fault armed."""
    fault = order.get("fault")
    hook = Fault.from_json(fault).hook() if isinstance(fault, dict) else lambda point: None
    with armed(hook):
        if order["do"] == "publication":
            from drills.publications import Operation, perform
            from lakesmith.engine.stopping import stops_on_signals
            from lakesmith.errors import exit_code_of

            with stops_on_signals():
                result = perform(Path(str(order["root"])), Operation.from_json(order["operation"]))
            return int(exit_code_of(result.error)) if result.error else 0
        from lakesmith.cli.main import main as lakesmith

        return lakesmith(list(order["arguments"]))  # type: ignore[call-overload,no-any-return]  # a list by then


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
