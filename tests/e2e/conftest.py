"""Which whole runs are left to those who ask for them."""

import os

collect_ignore = [] if os.environ.get("LAKESMITH_REAL_DRIFT") else ["test_real_drift.py"]
"""A model and sixty scored nights of real files: twenty minutes."""
