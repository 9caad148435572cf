"""What is written down and told, night after night."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lakesmith.alerts.decisions import NoticeKind, Violation, due_notices, transitions
from lakesmith.ledger.alerts import (
    Alert,
    AlertEvent,
    AlertRecord,
    alerts_of,
    as_of,
    open_alerts,
    violated_nights,
)

NOON = datetime(2024, 1, 6, 12, tzinfo=UTC)
COOL = timedelta(hours=20)


class Book:
    """The records of some nights, from the 5th of January 2024 on, one check a night at noon of the day after."""

    def __init__(self) -> None:
        self.records: list[AlertRecord] = []
        self.severity = "warning"

    def check(self, night: int, *violations: Violation, unasked: bool = False) -> list[str]:
        """What a check of a night adds, as the names of events."""
        made = transitions(
            open_alerts(self.records),
            {"drift": None if unasked else violations},
            {"drift": self.severity},
            date(2024, 1, night),
            self.moment(night),
        )
        self.records += made
        return [str(record.event) for record in made]

    def moment(self, night: int) -> datetime:
        return NOON + timedelta(days=night - 5)

    def due(self, night: int, *, hours: float = 0, least: str = "warning") -> list[tuple[NoticeKind, str]]:
        moment = self.moment(night) + timedelta(hours=hours, microseconds=1)
        return [
            (n.kind, n.alert.subject)
            for n in due_notices(alerts_of(self.records), "mail", least, COOL, moment)
        ]

    def tell(self, night: int, *, failed: str = "") -> list[tuple[NoticeKind, str]]:
        """Tells the channel `mail` what is due."""
        moment = self.moment(night) + timedelta(microseconds=1)
        notices = due_notices(alerts_of(self.records), "mail", "warning", COOL, moment)
        event = AlertEvent.UNDELIVERED if failed else AlertEvent.NOTIFIED
        for n in notices:
            a = n.alert
            self.records.append(
                AlertRecord(
                    moment,
                    date(2024, 1, night),
                    event,
                    a.rule,
                    a.subject,
                    a.severity,
                    "",
                    a.names,
                    "mail",
                    failed,
                )
            )
        return [(n.kind, n.alert.subject) for n in notices]

    @property
    def alert(self) -> Alert:
        return alerts_of(self.records)[-1]


def usage(*names: str, text: str = "drifted") -> Violation:
    return Violation("gold.usage", text, names)


def test_one_trouble_is_one_alert_however_many_nights_it_lasts() -> None:
    book = Book()

    assert book.check(5, usage()) == ["opened"]
    assert book.check(6, usage()) == ["seen"]
    assert book.check(7, usage()) == ["seen"]

    assert len(alerts_of(book.records)) == 1
    assert (book.alert.opened_night, book.alert.night) == (date(2024, 1, 5), date(2024, 1, 7))


def test_a_second_check_of_a_night_adds_nothing() -> None:
    book = Book()
    book.check(5, usage())

    assert book.check(5, usage()) == []
    assert book.check(5, usage(text="drifted more")) == ["seen"]
    assert book.alert.text == "drifted more"


def test_what_its_rule_says_no_more_is_resolved_and_may_come_again() -> None:
    book = Book()
    book.check(5, usage())

    assert book.check(6) == ["resolved"]
    assert book.check(7) == []
    assert book.check(8, usage()) == ["opened"]

    assert [a.is_open for a in alerts_of(book.records)] == [False, True]


def test_a_rule_that_could_not_be_asked_leaves_its_alerts_as_they_are() -> None:
    book = Book()
    book.check(5, usage())

    assert book.check(6, unasked=True) == []
    assert book.alert.is_open


def test_a_rule_that_was_switched_off_has_its_alerts_resolved() -> None:
    book = Book()
    book.check(5, usage())

    made = transitions(open_alerts(book.records), {}, {}, date(2024, 1, 6), book.moment(6))

    assert [(r.event, r.subject) for r in made] == [(AlertEvent.RESOLVED, "gold.usage")]


def test_a_channel_is_told_once_and_again_after_the_cool_down() -> None:
    book = Book()
    book.check(5, usage("kwh"))

    assert book.tell(5) == [(NoticeKind.OPENED, "gold.usage")]
    assert book.due(5, hours=19.9) == []
    assert book.due(5, hours=20) == [(NoticeKind.STILL, "gold.usage")]


def test_what_gets_worse_is_told_at_once() -> None:
    book = Book()
    book.check(5, usage("kwh", "cost"))
    book.tell(5)

    book.check(5, usage("kwh"))
    assert book.due(5) == []
    book.check(5, usage("kwh", "meter"))
    assert book.tell(5) == [(NoticeKind.WORSE, "gold.usage")]
    assert book.due(5) == []
    book.severity = "critical"
    book.check(5, usage("kwh", "meter", text="worse"))
    assert book.due(5) == [(NoticeKind.WORSE, "gold.usage")]


def test_the_end_is_told_to_whoever_was_told_of_the_beginning() -> None:
    book = Book()
    book.check(5, usage())
    book.tell(5)
    book.check(6)

    assert book.tell(6) == [(NoticeKind.RESOLVED, "gold.usage")]
    assert book.due(6) == []


def test_who_was_never_told_hears_nothing_of_the_end() -> None:
    book = Book()
    book.check(5, usage())
    book.check(6)

    assert book.due(6) == []


def test_a_message_that_failed_is_tried_at_the_next_check_whatever_the_cool_down() -> None:
    book = Book()
    book.check(5, usage())

    book.tell(5, failed="no answer in time")
    assert book.alert.undelivered == {"mail": "no answer in time"}
    assert book.tell(5) == [(NoticeKind.OPENED, "gold.usage")]
    assert book.alert.undelivered == {}


def test_the_end_of_last_month_is_no_news() -> None:
    book = Book()
    book.check(5, usage())
    book.tell(5)
    book.check(6)
    book.tell(6, failed="connection refused")

    assert book.due(12) == [(NoticeKind.RESOLVED, "gold.usage")]
    assert book.due(13) == []


def test_a_channel_for_critical_alerts_is_not_told_of_warnings() -> None:
    book = Book()
    book.check(5, usage())

    assert book.due(5, least="critical") == []


@pytest.mark.parametrize(("night", "found"), [(4, []), (5, [True]), (6, [True]), (7, [False]), (9, [False])])
def test_the_past_is_what_its_nights_knew(night: int, found: list[bool]) -> None:
    book = Book()
    book.check(5, usage())
    book.check(6, usage())
    book.check(7)

    known = as_of(book.records, date(2024, 1, night))
    assert [alert.is_open for alert in alerts_of(known)] == found


def test_nights_are_counted_on_which_a_rule_spoke() -> None:
    book = Book()
    book.check(5, usage())
    book.check(6, usage())
    book.check(7)
    book.check(8, usage(), Violation("gold.other", "drifted"))

    counted = violated_nights(book.records, ["drift"], ["gold.usage"])
    assert sorted(day.day for day in counted) == [5, 6, 8]
    assert violated_nights(book.records, ["performance"], ["gold.usage"]) == set()
