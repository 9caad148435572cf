"""The shells in which tests start programs: nothing is exported in them but what is said."""

from __future__ import annotations

import os

__all__ = ["bare"]


def bare(**exported: str) -> dict[str, str]:
    """The environment of such a shell: a PATH, and how the tests' JVMs are told to start fast (see the Makefile).

    Args:
        exported: what else is; a PATH among it stands in place of the system's.
    """
    fast = {name: value for name, value in os.environ.items() if name == "SPARK_SUBMIT_OPTS"}
    return {"PATH": "/usr/bin:/bin", **fast, **exported}
