"""The emulator, with one thing mended: it forgets the description of a security group's rule that names a group instead of addresses.

Without it a second plan finds these descriptions gone.
"""

from __future__ import annotations

import sys

from moto.ec2.models.security_groups import SecurityRule
from moto.server import main


def description(rule: SecurityRule) -> str | None:
    """Of whichever of the two a rule has."""
    return (rule.ip_range or {}).get("Description") or (rule.source_group or {}).get("Description")


if __name__ == "__main__":
    SecurityRule.description = property(description)
    main(sys.argv[1:])
