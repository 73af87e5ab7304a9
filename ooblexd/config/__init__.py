"""How one writes it down: the TOML file and the environment, checked, as a frozen tree.

`load` is the only reader of the file and of the environment: ``load_config(path,
environ)`` returns a `schema.Config`, or raises one `ConfigError` that lists every
problem. `plans` turns it into the plain values of `ooblexd.plan`, which is all that the
supervisor and the workers ever see. `file` writes changes back, `replacing` puts them
in place, `patch` is the edge of the control API, `diff` says what two plans differ in.
`last_good` keeps a copy of what runs, and `fallback` says what stands in for a file
that cannot be used; `state` is where such things lie.

Importing this package loads nothing; `schema` and those that need it load pydantic, so
the supervisor imports `diff` and `replacing` alone, and parses the file in a process of
its own.
"""
