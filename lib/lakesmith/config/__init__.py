"""Settings of an environment, layered from files and variables, as one frozen value."""

from lakesmith.config.load import load_settings
from lakesmith.config.settings import EffectiveSetting, Settings

__all__ = ["EffectiveSetting", "Settings", "load_settings"]
