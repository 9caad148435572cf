"""Alerts at the end of a night: which night is looked at, and that nothing that goes wrong with it fails the night."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lakesmith.engine.context import Context
from lakesmith.ledger.plan import Plan

if TYPE_CHECKING:
    from lakesmith.alerts.check import Checked
    from lakesmith.alerts.facts import Watched

__all__ = ["after_night", "watched"]

log = logging.getLogger(__name__)


def watched(context: Context) -> Watched:
    """What alerts look at, as it is now."""
    from lakesmith.alerts.facts import Watched

    return Watched(context.project, context.settings, context.ledger, context.judge)


def after_night(context: Context, plan: Plan) -> Checked | None:
    """Checks the newest night after a run of all tables; None when nothing was run, or the check itself went wrong.

    A night of the past that is run again may mend what is open; so the newest night is looked at, whichever was run.
    """
    if plan.asked.tables or not (plan.steps or plan.waiting):
        return None
    # Here, not above: what only reads a context need not import channels.
    from lakesmith.alerts.check import check_night, newest_night

    try:
        about = watched(context)
        nights = [night] if (night := newest_night(about)) is not None else []
        # A repair of all of history reaches to files whose night nobody has run yet.
        if not plan.asked.stale_only or not nights:
            nights.append(plan.nights.last)
        return check_night(about, max(nights))
    except Exception as error:
        log.warning("alerts were not checked (%s). See why: lakesmith alerts check", type(error).__name__)
        log.debug("alerts were not checked", exc_info=error)
        return None
