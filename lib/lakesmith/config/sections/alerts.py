"""Settings of alerts: rules, channels, history, retraining."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from lakesmith.config.secrets import SecretReference
from lakesmith.config.sections.values import (
    MaybeSecret,
    Seconds,
    Secret,
    Section,
    Texts,
    days,
)

__all__ = [
    "AlertRules",
    "AlertSettings",
    "EmailSettings",
    "HistorySettings",
    "RetrainingSettings",
    "RuleSeverity",
    "SnsSettings",
    "WebhookSettings",
]

RuleSeverity = Literal["critical", "warning", "silent"]
_Least = Literal["critical", "warning"]


class AlertRules(Section):
    """How much each rule matters; `silent` switches it off. What each one means is on its page, docs/runbooks/<rule>.md."""

    batch_failed: RuleSeverity = "critical"
    batch_rejected: RuleSeverity = "critical"
    batch_blocked: RuleSeverity = "warning"
    batch_foreign: RuleSeverity = "critical"
    table_not_updated: RuleSeverity = "critical"
    report_missing: RuleSeverity = "warning"
    quarantine_share: RuleSeverity = "warning"
    critical_expectations: RuleSeverity = "critical"
    warning_expectations: RuleSeverity = "warning"
    zero_scores: RuleSeverity = "critical"
    scores_degraded: RuleSeverity = "warning"
    model_rolled_back: RuleSeverity = "critical"
    rollout_stepped_back: RuleSeverity = "warning"
    circuit_open: RuleSeverity = "critical"
    drift: RuleSeverity = "warning"
    performance: RuleSeverity = "warning"
    history_deviation: RuleSeverity = "warning"
    slo_burn: RuleSeverity = "warning"
    retraining_requested: RuleSeverity = "warning"
    task_failed: RuleSeverity = "critical"
    night_late: RuleSeverity = "critical"
    channel_failed: RuleSeverity = "critical"


class WebhookSettings(Section):
    """A webhook that takes messages in Slack's format; off while `url` is not set.

    Args:
        url: holds the secret with which the receiver knows us.
        least: alerts below this severity are not sent.
    """

    url: Secret = None
    least: _Least = "warning"

    @field_validator("url")
    @classmethod
    def _http(cls, value: SecretStr | None) -> SecretStr | None:
        if isinstance(value, SecretReference):
            return value
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("expected a URL that begins with https:// or http://")
        return value


class EmailSettings(Section):
    """E-mail by SMTP; off while `host` is not set.

    Args:
        security: `starttls` and `tls` check the server's certificate; `none` sends in the open.
        username, password: where the server asks for them.
        sender: the address that messages come from.
        to: the addresses that they go to.
        least: alerts below this severity are not sent.
    """

    host: str | None = None
    port: Annotated[PositiveInt, Field(le=65535)] = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: MaybeSecret = None
    password: Secret = None
    sender: str | None = None
    to: Texts = ()
    least: _Least = "warning"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host is not None and not (self.sender and self.to):
            raise ValueError("a host needs a sender and to: at least one address")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent in the open; set security to starttls or tls")
        return self


class SnsSettings(Section):
    """A topic of Amazon SNS; off while `topic` is not set. Credentials are found as boto3 finds them.

    Args:
        topic: its ARN.
        region: None takes the one in the ARN.
        endpoint: another address of the service, as an emulator has.
        least: alerts below this severity are not sent.
    """

    topic: str | None = None
    region: str | None = None
    endpoint: str | None = None
    least: _Least = "warning"


class HistorySettings(Section):
    """When a night is unlike its own table's history.

    Args:
        weeks: how far back to look.
        least: nights of the same weekday that are needed, else nothing is said.
        factor: how many deviations off the median is too far.
    """

    weeks: PositiveInt = 13
    least: Annotated[PositiveInt, Field(ge=4)] = 6
    factor: Annotated[float, Field(gt=0, strict=False)] = 5.0


class RetrainingSettings(Section):
    """When a retraining is requested.

    Args:
        violations: nights on which one of the rules spoke of the model that are enough; 0 never requests one.
        nights: the last nights among which they are counted.
        rules: the rules that count.
    """

    violations: NonNegativeInt = 3
    nights: PositiveInt = 7
    rules: Texts = ("drift", "performance")

    @field_validator("rules")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in AlertRules.model_fields:
                raise ValueError(f"{name!r} is no rule; rules: {', '.join(AlertRules.model_fields)}")
        return value


class AlertSettings(Section):
    """Alerts after each night.

    Args:
        log: whether they are written to the log, too.
        cool_down: seconds for which a channel is not told again of an alert that stays open and gets no worse.
        look_back: days before the night whose batches count, too, so that an alert stays until they are mended.
        timeout: seconds that a channel may take for a message.
        runbooks: where the pages of the rules are: a URL or a folder.
        quarantine_near: the part of a contract's limit from which on a quarantined share is an alert.
        burn_rate: how many times faster than allowed an error budget may be spent over the last week.
    """

    log: bool = True
    cool_down: Seconds = 20 * 3600
    look_back: Annotated[NonNegativeInt, BeforeValidator(days)] = 7
    timeout: Seconds = 10
    runbooks: str = "docs/runbooks"
    quarantine_near: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.8
    burn_rate: Annotated[float, Field(gt=0, strict=False)] = 2.0
    rules: AlertRules = AlertRules()
    history: HistorySettings = HistorySettings()
    retraining: RetrainingSettings = RetrainingSettings()
    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    sns: SnsSettings = SnsSettings()
