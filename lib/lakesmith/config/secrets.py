"""References to secrets in settings: `secret://<name>#<key>`, looked up in AWS Secrets Manager when the value is used.

Owns how they are written and where they may stand: wherever a setting is, or may hold, a secret. The reference itself is none: it
may be shown, logged and sent to a cluster, where the driver looks it up with its own role.
"""

from __future__ import annotations

import re

from pydantic import SecretStr

from lakesmith.aws.clients import Access
from lakesmith.aws.secrets import secret_value

__all__ = ["SecretReference", "is_reference", "revealed", "unresolved"]

_SCHEME = "secret://"
_REFERENCE = re.compile(r"secret://([A-Za-z0-9/_+=.@:!-]{1,2048})#([^#\s][^#]*)")


class SecretReference(SecretStr):
    """A secret that stands elsewhere. Until `get_secret_value` is called, nobody is asked for it.

    Args:
        text: `secret://<name>#<key>`.
        setting: where it stands in the settings, for messages.
        access: how Secrets Manager is reached.

    Raises:
        ValueError: the text is no reference.
    """

    def __init__(self, text: str, setting: str, access: Access) -> None:
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError("a reference to a secret is written secret://<name>#<key>")
        super().__init__(text)
        self.reference = text
        self._name, self._key = found.groups()
        self._setting = setting
        self._access = access

    def get_secret_value(self) -> str:
        """The value, from Secrets Manager or from this process' memory of it.

        Raises:
            SecretUnusable: there is no such secret or key.
            AwsError: Secrets Manager did not give it.
        """
        return secret_value(self._name, self._key, self._access, setting=self._setting)

    def _display(self) -> str:
        return self.reference

    def __len__(self) -> int:
        return len(self.reference)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretReference) and self.reference == other.reference

    def __hash__(self) -> int:
        return hash(self.reference)


def is_reference(value: object) -> bool:
    """Whether a text is meant as a reference."""
    return isinstance(value, str) and value.startswith(_SCHEME)


def revealed(value: str | SecretStr | None) -> str | None:
    """The text of a setting that may be a secret."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def unresolved(value: str | SecretStr) -> str:
    """The text of a setting for a process that looks references up itself."""
    if isinstance(value, SecretReference):
        return value.reference
    return value.get_secret_value() if isinstance(value, SecretStr) else value
