"""Where PostgreSQL's data goes when root runs it as another account."""

from __future__ import annotations

import pwd
import re
import tempfile
from pathlib import Path

import pytest

from lakesmith.stack.database import _data_folder

HOME = "/var/lib/somebody"


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that owns nothing here."""
    account = pwd.struct_passwd(("somebody", "x", 64_000, 64_000, "", HOME, "/bin/false"))
    monkeypatch.setattr("pwd.getpwnam", lambda _: account)


def test_it_is_with_the_stack_where_the_account_can_go(tmp_path: Path) -> None:
    stack = Path(tempfile.gettempdir()) / "not-there-yet" / ".stack"
    assert _data_folder(stack, "somebody") == stack / "postgres"
    assert _data_folder(tmp_path, None) == tmp_path / "postgres"


def test_else_it_is_in_the_accounts_own_home_by_the_name_of_the_stack(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = {_data_folder(tmp_path / name, "somebody") for name in ("one", "one", "two")}
    assert len(found) == 2
    assert all(re.fullmatch(rf"{HOME}/lakesmith-[0-9a-f]{{12}}", str(folder)) for folder in found)
