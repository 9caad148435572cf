"""The emulator, with one thing mended: it forgets the description of a security group's rule that names a group, not addresses.

Without it a second plan finds these descriptions gone.
"""

from __future__ import annotations

import sys

from moto.ec2.models.security_groups import SecurityGroupRule
from moto.server import main


def description(rule: SecurityGroupRule) -> str | None:
    """Of whichever of the two a rule has."""
    return rule.ip_range.get("Description") or rule.source_group.get("Description")


if __name__ == "__main__":
    SecurityGroupRule.description = property(description)
    main(sys.argv[1:])
