"""The description of the API: an OpenAPI 3.1 document, made from router and types.

``operations`` and its neighbours say of each route what no type can say; `schemas` asks
pydantic for the rest; `document` joins them with the router. Whoever adds a route adds
its `Operation`: a test compares the two, both ways.

Schemas are the hard part and pydantic makes them, in the JSON Schema dialect of OpenAPI
3.1; what is left is a dictionary of paths. Libraries for that were looked at
(2026-11): apispec only merges dictionaries one has written, its plugin for pydantic has
one author and no Starlette; starlette-apispec is of 2024 and reads YAML in docstrings;
spectree wants to validate requests itself, at import, with errors of a form of its own;
openapi-pydantic types the document for 2.7 MiB of models.

Everything here blocks and needs pydantic: `description` loads it in a thread, when
somebody asks for the first time.
"""

from ooblexd.control.openapi.document import build_document

__all__ = ["build_document"]
