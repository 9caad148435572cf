"""Secrets of AWS Secrets Manager: one key of one secret, asked for once a process.

Owns what a missing or unreadable secret is called. No value of one is in any error here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from lakesmith.aws.clients import Access, AwsError, client, typed_errors
from lakesmith.errors import ConfigurationError

__all__ = ["SecretUnusable", "secret_value"]

_SERVICE = "secretsmanager"
_GONE = "ResourceNotFoundException"


class SecretUnusable(ConfigurationError):
    """A secret is not there, has no such key, or is no JSON object of texts."""

    def __init__(self, setting: str, name: str, reason: str) -> None:
        self.setting = setting
        self.name = name
        super().__init__(
            f"{setting} is in the secret {name}, and {reason}. See it: aws secretsmanager describe-secret --secret-id '{name}'. "
            f"A secret is a JSON object, and a setting names it with one of its keys: secret://<name>#<key>"
        )


def secret_value(name: str, key: str, access: Access, *, setting: str) -> str:
    """The value of one key of a secret.

    Args:
        name: of the secret, or its ARN.
        setting: which asks, for messages.

    Raises:
        SecretUnusable: there is no such secret or key, or it is no JSON object.
        AwsDenied: the role of this process may not read it.
        AwsError: Secrets Manager did not give it for another reason.
    """
    try:
        found = _secret(name, access)
    except AwsError as error:
        if error.code == _GONE:
            raise SecretUnusable(setting, name, "there is no such secret") from None
        raise type(error)(
            _SERVICE,
            f"read the secret {name} for {setting}",
            error.code,
            status=error.status,
            said=error.said,
            done="Nothing was done with it",
        ) from None
    if found is None:
        raise SecretUnusable(setting, name, "that is no JSON object of texts")
    if key not in found:
        raise SecretUnusable(
            setting, name, f"that has no key {key!r}; keys: {', '.join(sorted(found)) or 'none'}"
        )
    return found[key]


@cache
def _secret(name: str, access: Access) -> Mapping[str, str] | None:
    """The keys and values of a secret; None where it holds something else. What fails is asked again the next time."""
    with typed_errors(_SERVICE, f"read the secret {name}"):
        answer = client(_SERVICE, access).get_secret_value(SecretId=name)
    try:
        found = json.loads(answer.get("SecretString") or "")
    except ValueError:
        return None
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        return None
    # A password of digits may have become a number.
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
