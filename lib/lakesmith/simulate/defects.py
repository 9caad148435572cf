"""What can be wrong with a line: one defect for every rule by which silver.sales_lines quarantines.

A defective line breaks exactly one rule, so the reasons in a quarantine table can be compared with what was
planted. It stays one physical line: an unbalanced quote opens a description and is not closed, which a reader
must not let run into the lines that follow.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

__all__ = ["Defect", "Line", "defect_for", "spoil"]


class Defect(StrEnum):
    """The rule that a defective line breaks."""

    TOO_FEW_FIELDS = "too_few_fields"
    TOO_MANY_FIELDS = "too_many_fields"
    UNBALANCED_QUOTE = "unbalanced_quote"
    INVOICE_EMPTY = "invoice_empty"
    STOCK_CODE_EMPTY = "stock_code_empty"
    QUANTITY_UNPARSABLE = "quantity_unparsable"
    QUANTITY_ZERO = "quantity_zero"
    QUANTITY_EXCESSIVE = "quantity_excessive"
    PRICE_UNPARSABLE = "price_unparsable"
    PRICE_TOO_PRECISE = "price_too_precise"
    PRICE_NEGATIVE = "price_negative"
    DATE_UNPARSABLE = "date_unparsable"
    DATE_OUTSIDE_BATCH = "date_outside_batch"
    CUSTOMER_UNPARSABLE = "customer_unparsable"


class Line(NamedTuple):
    """The texts of a line, rendered as CSV fields. `product` is two of them: stock code and description."""

    invoice: str
    product: str
    quantity: str
    time: str
    price: str
    customer: str
    country: str

    def render(self) -> str:
        """The line as it is written, with its line break."""
        return ",".join(self) + "\n"


_Form = TypeVar("_Form")
_DEFECTS: Final = tuple(Defect)
_QUANTITIES: Final = ("six", "", "12 pcs", "n/a", "1O", "--6")
_EXCESSES: Final = ("100001", "123456", "250000", "999999")
_PRICES: Final = ("free", "", "£2.95", '"2,95"', "NaN", "2.95.1")
_DATES: Final = (
    "",
    "{day} 25:10:00",
    "{year}-13-01 08:30:00",
    "{year}-02-30 08:30:00",
    "yesterday",
    "{day}T8h30",
)
_CUSTOMERS: Final = ("GUEST", "1785O.0", "-17850.0", "17850.5", "17850.0.0", "n/a")
_DAYS_ASTRAY: Final = (-1, 1, -7, -365, 30, 2)


def defect_for(draw: float) -> tuple[Defect, float]:
    """A defect, each equally likely, and what is left of the draw (in 0..1) to choose its form by."""
    place = draw * len(_DEFECTS)
    index = min(int(place), len(_DEFECTS) - 1)
    return _DEFECTS[index], min(place - index, 0.999999)


def spoil(line: Line, defect: Defect, form: float) -> str:
    """The line with this defect; `form`, in 0..1, chooses among the forms that the defect can take."""
    match defect:
        case Defect.TOO_FEW_FIELDS:
            whole = line.render().rstrip("\n")
            return _pick((line.invoice, whole[: whole.rindex(",")], ",".join(line[:4])), form) + "\n"
        case Defect.TOO_MANY_FIELDS:
            code, _, description = line.product.partition(",")
            bare = description.strip('"') or "LOST"
            forms = (
                line._replace(country=line.country + ","),
                line._replace(product=f"{code},{bare},{bare}"),
            )
            return _pick(forms, form).render() if '"' not in bare else forms[0].render()
        case Defect.UNBALANCED_QUOTE:
            code, _, description = line.product.partition(",")
            bare = description.replace('"', "") or "LOST"
            return line._replace(product=f'{code},"{bare}').render()
        case Defect.INVOICE_EMPTY:
            return line._replace(invoice="").render()
        case Defect.STOCK_CODE_EMPTY:
            return line._replace(product=line.product[line.product.index(",") :]).render()
        case Defect.QUANTITY_UNPARSABLE:
            return line._replace(quantity=_pick(_QUANTITIES, form)).render()
        case Defect.QUANTITY_ZERO:
            return line._replace(quantity="0").render()
        case Defect.QUANTITY_EXCESSIVE:
            sign = "-" if line.quantity.startswith("-") else ""
            return line._replace(quantity=sign + _pick(_EXCESSES, form)).render()
        case Defect.PRICE_UNPARSABLE:
            return line._replace(price=_pick(_PRICES, form)).render()
        case Defect.PRICE_TOO_PRECISE:
            return line._replace(price=f"{line.price}0417").render()
        case Defect.PRICE_NEGATIVE:
            return line._replace(price="-" + ("1.25" if line.price == "0.0" else line.price)).render()
        case Defect.DATE_UNPARSABLE:
            day = line.time[:10]
            return line._replace(time=_pick(_DATES, form).format(day=day, year=day[:4])).render()
        case Defect.DATE_OUTSIDE_BATCH:
            return line._replace(time=_astray(line.time, _pick(_DAYS_ASTRAY, form))).render()
        case Defect.CUSTOMER_UNPARSABLE:
            return line._replace(customer=_pick(_CUSTOMERS, form)).render()


def _pick(forms: tuple[_Form, ...], form: float) -> _Form:
    return forms[int(form * len(forms))]


def _astray(time: str, days: int) -> str:
    """The time moved to another day; back where the calendar ends."""
    day = date.fromisoformat(time[:10]).toordinal()
    moved = day + days
    if not date.min.toordinal() <= moved <= date.max.toordinal():
        moved = day - days
    return (date.min + timedelta(moved - 1)).isoformat() + time[10:]
