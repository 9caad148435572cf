"""Lakesmith: daily files in, trustworthy versioned Delta tables out.

What a job and a notebook need stands here; everything else is in the packages below.
"""

from __future__ import annotations

from lakesmith.jobs import Job, job
from lakesmith.notebook import mlflow_client, sql, table

__all__ = ["Job", "__version__", "job", "mlflow_client", "sql", "table"]

__version__ = "0.1.0"
