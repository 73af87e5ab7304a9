"""What the README shows works as it is written there."""

from __future__ import annotations

import ast
import json
import os
import re

import pytest

from ooblexd.config.load import parse_config
from ooblexd.config.schema import Document
from tests.support.repository import ROOT, source_of

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
IN_WORDS = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
QUOTED = re.findall(r"`([^`\n]+)`", IN_WORDS)
MOST_PICTURE_BYTES = 300_000


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_each_command_of_the_repository_is_there() -> None:
    commands = {
        word
        for text in [*blocks("bash"), *QUOTED]
        for word in text.split()
        if word.startswith("tools/")
    }

    assert {"tools/run", "tools/test", "tools/bench"} <= commands
    assert all(os.access(ROOT / command, os.X_OK) for command in commands)


def test_each_benchmark_that_is_named_is_there() -> None:
    names = re.findall(r"tools/bench (\w+)", README)

    assert names
    assert all((ROOT / f"tests/benchmarks/bench_{name}.py").exists() for name in names)


def test_each_command_of_the_daemon_is_there() -> None:
    named = {
        found[1]
        for text in QUOTED
        if (found := re.match(r"\.venv/bin/ooblexd ([a-z-]+)( |$)", text))
    }
    there = {path.stem.replace("_", "-") for path in (ROOT / "ooblexd/cli").iterdir()}

    assert "check-config" in named
    assert named <= there


def test_each_file_that_is_named_is_there() -> None:
    paths = [
        text
        for text in [*QUOTED, *re.findall(r"\]\(([^)h][^)]*)\)", README)]
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+|[A-Z]+\.md|\.readme/\S+", text)
    ]

    assert paths
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_each_address_is_answered() -> None:
    routes = {
        node.value
        for node in ast.walk(source_of("control.app"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = re.findall(r"^\| `(/[^`]*)` \|", README, re.MULTILINE)

    assert len(named) > 5
    assert not set(named) - routes


@pytest.mark.parametrize("text", blocks("toml"))
def test_each_configuration_is_good(text: str) -> None:
    assert parse_config(text, {}).document != Document()


def test_the_camera_that_curl_adds_is_good() -> None:
    (curl,) = [text for text in blocks("bash") if "-d '{" in text]
    body = json.loads(re.search(r"-d '(.*)'", curl, re.DOTALL)[1])  # type: ignore[index] # it is there, or the test fails

    name = body.pop("name")
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in body.items())

    assert name in parse_config(f"[streams.{name}]\n{table}\n", {}).streams
    assert "Content-Type: application/json" in curl


def test_the_picture_is_there_and_small() -> None:
    (path,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)

    content = (ROOT / path).read_bytes()

    assert content.startswith(b"\xff\xd8\xff")
    assert len(content) < MOST_PICTURE_BYTES
