"""Settings of upkeep: what is kept for how long, and how files are put together."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, PositiveInt

from lakesmith.config.sections.values import (
    Days,
    Section,
    size_in_bytes,
)

__all__ = ["MaintenanceSettings", "RetentionSettings"]


class RetentionSettings(Section):
    """What maintenance keeps beside the present and what models were trained on.

    Args:
        nights: days for which every table can be read as a night left it.
        versions: days for which a version that no night and no model needs can still be read.
    """

    nights: Days = 90
    versions: Days = 7


class MaintenanceSettings(Section):
    """Maintenance. `file_size`: bytes towards which the small files of a batch are put together."""

    file_size: Annotated[PositiveInt, BeforeValidator(size_in_bytes)] = 128 << 20
