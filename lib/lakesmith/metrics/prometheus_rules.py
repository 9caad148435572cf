"""Alert rules for Prometheus: for each service level of conf/slo.yml, and for what the nights cannot tell of themselves.

Owns that file's content; a night that never ran checks no alert of its own, and Prometheus notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from lakesmith.alerts.messages import runbook
from lakesmith.contracts.service_levels import ServiceLevel

__all__ = ["prometheus_rules"]

_HEAD = "# Made by `lakesmith metrics rules FILE` from conf/slo.yml and the settings. Change those, not this file.\n"
_STALE_SECONDS = 36 * 3600


def prometheus_rules(levels: Sequence[ServiceLevel], burn_rate: float, runbooks: str) -> str:
    """The text of the file.

    Args:
        burn_rate: how many times faster than allowed an error budget may be spent.
        runbooks: where the rules' pages are: a URL or a folder.
    """
    promises = [_promise(level, burn_rate, runbooks) for level in levels]
    groups = [{"name": "lakesmith", "rules": _platform(runbooks)}]
    groups += [{"name": "lakesmith-service-levels", "rules": promises}] if promises else []
    return _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000, allow_unicode=True)


def _promise(level: ServiceLevel, burn_rate: float, runbooks: str) -> dict[str, Any]:
    name = "".join(part.capitalize() for part in level.name.split("_"))
    one = f'{{slo="{level.name}"}}'
    expression = (
        f"lakesmith_slo_burn_rate{one} >= {burn_rate:g} or "
        f"(lakesmith_slo_error_budget_left_ratio{one} < 0 and lakesmith_slo_burn_rate{one} > 0)"
    )
    return _rule(
        f"LakesmithSlo{name}",
        expression,
        "warning",
        f"{level.promise}: the error budget of {level.window_days} days is spent too fast, or gone",
        runbook(runbooks, "slo_burn"),
    )


def _platform(runbooks: str) -> list[dict[str, Any]]:
    return [
        _rule(
            "LakesmithMetricsAbsent",
            "absent(lakesmith_info)",
            "critical",
            "no metrics of Lakesmith: nobody knows how it is",
            runbook(runbooks, "metrics_absent"),
            waits="15m",
        ),
        _rule(
            "LakesmithMetricsIncomplete",
            "lakesmith_unreadable > 0",
            "warning",
            "metrics of {{ $labels.part }} cannot be read",
            runbook(runbooks, "metrics_absent"),
            waits="15m",
        ),
        _rule(
            "LakesmithNoNight",
            f"time() - lakesmith_night_recorded_timestamp_seconds > {_STALE_SECONDS}",
            "critical",
            "no night was recorded for a day and a half",
            runbook(runbooks, "night_absent"),
        ),
        _rule(
            "LakesmithTableStale",
            f"time() - lakesmith_last_published_timestamp_seconds > {_STALE_SECONDS}",
            "warning",
            "{{ $labels.table }} was not published for a day and a half",
            runbook(runbooks, "table_not_updated"),
        ),
        _rule(
            "LakesmithAlertsOpen",
            'sum by (rule) (lakesmith_alerts_open{severity="critical"}) > 0',
            "critical",
            "{{ $value }} open alerts of the rule {{ $labels.rule }}",
            runbook(runbooks, "{{ $labels.rule }}"),
        ),
        _rule(
            "LakesmithChannelFailing",
            "lakesmith_channel_failing > 0",
            "critical",
            "the channel {{ $labels.channel }} takes no messages",
            runbook(runbooks, "channel_failed"),
        ),
    ]


def _rule(
    name: str, expression: str, severity: str, summary: str, page: str, *, waits: str | None = None
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        **({"for": waits} if waits else {}),
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook_url": page},
    }
