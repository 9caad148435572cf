"""Lakesmith: daily files in, trustworthy versioned Delta tables out.

What a job needs stands here; everything else is in the packages below.
"""

from __future__ import annotations

from lakesmith.jobs import Job, job

__all__ = ["Job", "__version__", "job"]

__version__ = "0.1.0"
