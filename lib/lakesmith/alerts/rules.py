"""Every rule by its name in the settings.

Owns that list; what each looks for is in `batch_rules` and `model_rules`, and on its page, docs/runbooks/<rule>.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lakesmith.alerts import batch_rules, model_rules, reported_rules
from lakesmith.alerts.decisions import Violation
from lakesmith.alerts.facts import NightFacts

__all__ = ["CHANNEL_FAILED", "OF_THE_PRESENT", "REPORTED", "RULES", "Rule"]

Rule = Callable[[NightFacts], Sequence[Violation] | None]
"""What it says of a night; None when there is nothing to go by, so that what is open stays open."""

CHANNEL_FAILED = "channel_failed"
"""The rule about channels themselves: it is asked when messages are sent."""

RULES: Mapping[str, Rule] = {
    "batch_failed": batch_rules.batch_failed,
    "batch_rejected": batch_rules.batch_rejected,
    "batch_blocked": batch_rules.batch_blocked,
    "batch_foreign": batch_rules.batch_foreign,
    "table_not_updated": batch_rules.table_not_updated,
    "report_missing": batch_rules.report_missing,
    "quarantine_share": batch_rules.quarantine_share,
    "critical_expectations": batch_rules.critical_expectations,
    "warning_expectations": batch_rules.warning_expectations,
    "zero_scores": model_rules.zero_scores,
    "scores_degraded": model_rules.scores_degraded,
    "model_rolled_back": model_rules.model_rolled_back,
    "rollout_stepped_back": model_rules.rollout_stepped_back,
    "circuit_open": model_rules.circuit_open,
    "drift": model_rules.drift,
    "performance": model_rules.performance,
    "history_deviation": batch_rules.history_deviation,
    "slo_burn": model_rules.slo_burn,
    "retraining_requested": model_rules.retraining_requested,
    "task_failed": reported_rules.task_failed,
    "night_late": reported_rules.night_late,
}

REPORTED = frozenset({"night_late", "task_failed"})
"""Rules whose alerts a scheduler opens (`lakesmith alerts report`); a check only tells whether they are over."""

OF_THE_PRESENT = REPORTED | {"circuit_open", "retraining_requested", "slo_burn"}
"""Rules that tell how things are now, whatever night is looked at."""
