from __future__ import annotations

import os
from pathlib import Path

from ooblexd.config.state import SYSTEM_FOLDER, state_folder


def test_state_lies_where_systemd_made_room_for_it() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/x"}

    assert state_folder(environ) == Path("/var/lib/a")


def test_state_lies_in_the_users_folder_or_the_systems() -> None:
    of_user = Path("/home/me/.local/state/ooblexd")

    assert state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/ooblexd")
    expected = SYSTEM_FOLDER if os.geteuid() == 0 else of_user
    assert state_folder({"HOME": "/home/me"}) == expected
