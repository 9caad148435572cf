"""Property tests here have no deadline: a machine that is busy elsewhere is no reason to fail."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
