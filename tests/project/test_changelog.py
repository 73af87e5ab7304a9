"""The version is the changelog's."""

from __future__ import annotations

import re

from ooblexd import __version__
from tests.support.repository import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## \[([^\]]+)\]", CHANGELOG, re.MULTILINE)
SECTIONS = {"Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"}


def test_the_newest_entry_is_this_version() -> None:
    newest = "Unreleased" if ".dev" in __version__ else __version__

    assert HEADINGS[0] == newest


def test_each_section_is_one_that_a_changelog_has() -> None:
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= SECTIONS


def test_each_line_is_a_sentence_for_the_operator() -> None:
    entries = re.findall(r"^- (.+(?:\n  .+)*)", CHANGELOG, re.MULTILINE)

    assert entries
    assert all(entry.endswith(".") for entry in entries)
