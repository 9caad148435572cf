"""What was written: counts of lines by kind, to compare with what a pipeline makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from lakesmith.simulate.defects import Defect
from lakesmith.simulate.invoices import Invoice, InvoiceKind

__all__ = ["Planted", "SimulationSummary", "Tally"]


class Planted(StrEnum):
    """What a line is.

    The first five exclude each other; with the defective lines they add up to all rows. The last three say
    more of the sound lines of the first four kinds.
    """

    SALES = "sales"
    CANCELLATIONS = "cancellations"
    WRITE_OFFS = "write_offs"
    ADJUSTMENTS = "adjustments"
    DUPLICATES = "duplicates"
    ANONYMOUS = "anonymous"
    ABROAD = "abroad"
    NON_PRODUCTS = "non_products"


_KIND: Mapping[InvoiceKind, Planted] = MappingProxyType(
    {
        InvoiceKind.SALE: Planted.SALES,
        InvoiceKind.CANCELLATION: Planted.CANCELLATIONS,
        InvoiceKind.WRITE_OFF: Planted.WRITE_OFFS,
        InvoiceKind.ADJUSTMENT: Planted.ADJUSTMENTS,
    }
)


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation wrote.

    Args:
        files: how many files, one for each open day.
        rows: lines in them, headers not counted.
        bytes: size of them all.
        planted: lines by what they are, defective lines left out (`Planted` says which counts overlap).
        defects: defective lines by what is wrong with them.
    """

    files: int
    rows: int
    bytes: int
    planted: Mapping[Planted, int]
    defects: Mapping[Defect, int]

    @property
    def defective(self) -> int:
        """Defective lines of every kind."""
        return sum(self.defects.values())


@dataclass
class Tally:
    """The counts so far."""

    files: int = 0
    rows: int = 0
    bytes: int = 0
    planted: dict[Planted, int] = field(default_factory=lambda: dict.fromkeys(Planted, 0))
    defects: dict[Defect, int] = field(default_factory=lambda: dict.fromkeys(Defect, 0))

    def sound(self, invoice: Invoice, home: str, spoiled: list[int]) -> None:
        """Count the lines of an invoice but for the spoiled ones (their positions)."""
        sound = len(invoice.items) - len(spoiled)
        planted = self.planted
        planted[_KIND[invoice.kind]] += sound
        if not invoice.customer:
            planted[Planted.ANONYMOUS] += sound
        if invoice.country != home:
            planted[Planted.ABROAD] += sound
        if invoice.goods < len(invoice.items):
            others = [position for position in spoiled if position >= invoice.goods]
            planted[Planted.NON_PRODUCTS] += len(invoice.items) - invoice.goods - len(others)

    def summary(self) -> SimulationSummary:
        """The counts as a value that no longer changes."""
        return SimulationSummary(
            self.files,
            self.rows,
            self.bytes,
            MappingProxyType(dict(self.planted)),
            MappingProxyType(dict(self.defects)),
        )
