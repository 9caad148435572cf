from __future__ import annotations

from importlib import resources

from lakesmith.quality.catalogue import installed_catalogue, render


def test_the_checked_in_catalogue_is_that_of_the_installed_great_expectations() -> None:
    checked_in = resources.files("lakesmith.contracts").joinpath("expectation_catalogue.json")

    assert checked_in.read_text(encoding="utf-8") == render(installed_catalogue()), (
        "write it anew: python -m lakesmith.quality.catalogue"
    )
