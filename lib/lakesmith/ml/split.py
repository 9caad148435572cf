"""Which as-of dates a model is trained, validated and tested on.

Owns the temporal split: folds whose training dates lie far enough before what they are judged on, and a test that is the
latest past. Pure: days in, days out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.declaration import Split
from lakesmith.errors import InputMissing

__all__ = ["AsOfDates", "Fold", "HistoryTooShort", "as_of_dates"]


class HistoryTooShort(InputMissing):
    """There are not enough days with a known label to train on, with the gaps that keep the future out."""

    def __init__(self, model: str, night: date, found: str, earliest: date) -> None:
        self.model = model
        self.night = night
        self.earliest = earliest
        super().__init__(
            f"{model}: as of the night {night} {found}. The first night that this split can be trained on is {earliest}. "
            f"Wait for it, or shorten the split: models.{model}.split in settings"
        )


@dataclass(frozen=True)
class Fold:
    """One cut-off of the validation: trained on what lies the gap before the block that it is judged on."""

    train: tuple[date, ...]
    validate: tuple[date, ...]


@dataclass(frozen=True)
class AsOfDates:
    """All as-of dates of one training.

    Args:
        night: what was known at its end is all that the training uses.
        train: dates that the winner is refit on.
        folds: earliest first.
        test: dates that nothing but the final measurement touches.
    """

    night: date
    train: tuple[date, ...]
    folds: tuple[Fold, ...]
    test: tuple[date, ...]

    @property
    def all(self) -> tuple[date, ...]:
        """Every as-of date, in order."""
        return (*self.train, *self.test)


def as_of_dates(model: str, split: Split, start: date, night: date, label_lag_days: int) -> AsOfDates:
    """The as-of dates of a training on a night.

    The test ends with the latest date whose label is known; the training dates count from the start of history on, so that
    a later night adds dates and moves none.

    Args:
        model: for messages.
        start: the first batch of the features.
        night: the last night that may be known.
        label_lag_days: the label of D is known on the night D + label_lag_days.

    Raises:
        HistoryTooShort: a fold or the test would have nothing to be trained on.
    """
    last_test = night - timedelta(label_lag_days)
    first_test = last_test - timedelta(split.test_days - 1)
    test = tuple(_every(last_test, first_test, -split.test_step_days))[::-1]
    first = start + timedelta(split.warm_up_days)
    train = tuple(_every(first, test[0] - timedelta(split.gap_days), split.step_days))[-split.at_most :]
    folds = tuple(fold for fold in _folds(train, split) if fold.train)
    if len(folds) < split.cutoffs:
        needed = _least_dates(split)
        latest = first + timedelta((needed - 1) * split.step_days)
        earliest = latest + timedelta(split.gap_days + split.test_days - 1 + label_lag_days)
        # The test may begin later than its span says, when its step does not divide it.
        earliest -= test[0] - first_test
        raise HistoryTooShort(
            model, night, f"there are {len(train)} training dates, of which {needed} are needed", earliest
        )
    return AsOfDates(night, train, folds, test)


def _every(first: date, last: date, step: int) -> list[date]:
    """Dates from the first to the last, both included where the step meets them; the step may be negative."""
    count = (last - first).days // step
    return [first + timedelta(step * n) for n in range(count + 1)]


def _folds(train: tuple[date, ...], split: Split) -> list[Fold]:
    blocks = train[-split.cutoffs * split.dates_per_cutoff :]
    folds = []
    for at in range(0, len(blocks), split.dates_per_cutoff):
        block = blocks[at : at + split.dates_per_cutoff]
        known = block[0] - timedelta(split.gap_days)
        folds.append(Fold(tuple(day for day in train if day <= known), block))
    return folds


def _least_dates(split: Split) -> int:
    """How many training dates the first fold needs: one to train on, those within the gap, and all blocks."""
    within_gap = -(-split.gap_days // split.step_days)
    return within_gap + split.cutoffs * split.dates_per_cutoff
