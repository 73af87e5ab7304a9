"""What is said of the API is what the API is."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.control.accepted import ACCEPTED
from ooblexd.control.openapi import build_document
from ooblexd.control.openapi.document import HEADERS, OPERATIONS, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.control import ControlBench


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(OPERATIONS)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_each_route_is_described_and_nothing_else(bench: ControlBench) -> None:
    with bench.client() as client:
        answer = client.get("/openapi.json")

    # A route without a description is a 500 here: give it an Operation.
    assert answer.status_code == 200, answer.text
    paths = answer.json()["paths"]
    described = {(method.upper(), path) for path in paths for method in paths[path]}
    assert described == OPERATIONS.keys()


def test_each_body_that_is_described_is_named_by_its_path() -> None:
    described = {
        (path, method, ", ".join((one.body.media_type, *one.body.also)))
        for (method, path), one in OPERATIONS.items()
        if one.body is not None
    }

    assert described == {
        (path, method, types)
        for path, by_method in ACCEPTED.items()
        for method, types in by_method.items()
    }


def test_the_document_is_made_once_and_not_sent_again(bench: ControlBench) -> None:
    with bench.client() as client:
        first = client.get("/openapi.json")
        known = {"If-None-Match": first.headers["etag"]}
        again = client.get("/openapi.json", headers=known)

    assert first.headers["content-type"] == "application/json"
    assert again.status_code == 304
    assert again.headers["etag"] == first.headers["etag"]


def test_control_begins_without_what_only_few_requests_need() -> None:
    code = "import sys, ooblexd.control.worker; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()

    assert not {"pydantic", "av", "ooblexd.control.openapi"} & set(loaded)


def test_each_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}

    assert references
    for reference in references:
        target = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in target, reference
            target = target[step]


def test_each_schema_and_header_is_used(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    for kind in ("schemas", "headers"):
        for name in document["components"][kind]:
            assert f"#/components/{kind}/{name}" in references


def test_each_operation_has_a_name_of_its_own_and_a_place(
    document: dict[str, Any],
) -> None:
    names = [operation.operation_id for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)
    assert {operation.tag for operation in OPERATIONS.values()} == TAGS.keys()
    assert document["openapi"].startswith("3.1")


@pytest.mark.parametrize("key", OPERATIONS, ids=" ".join)
def test_an_operation_names_what_its_path_holds(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]

    in_path = {p.name for p in operation.parameters if p.place == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert (
        operation.alias_of == "" or (operation.method, operation.alias_of) in OPERATIONS
    )
    assert (operation.tag == "Aliases") is bool(operation.alias_of)
    for answer in operation.answers.values():
        assert set(answer.headers) <= HEADERS.keys()


def test_a_stream_is_described_as_it_is_configured(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    new, shown = schemas["NewStream"], schemas["Stream"]
    assert new["required"] == ["name", "source"]
    assert new["properties"].keys() <= shown["properties"].keys()
    assert new["properties"]["jpeg_quality"]["maximum"] == 100
    assert schemas["StreamPatch"]["properties"].keys() == (
        new["properties"].keys() - {"name"}
    )


def test_each_key_is_explained(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if name in ("Stream", "NewStream", "StreamPatch", "CropConfig"):
            for key, inner in schema["properties"].items():
                # In Attributes: of the class, in ooblexd/config/schema.py.
                assert "description" in (inner | inner.get("anyOf", [{}])[0]), key


def test_each_effect_comes_with_its_parameters(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    blur = schemas["Effect_blur_faces"]
    assert blur["properties"]["effect"] == {"const": "blur_faces"}
    assert blur["properties"]["strength"]["maximum"] == 1
