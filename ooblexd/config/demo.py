"""The configuration of whoever has none: the demo with its faces blurred."""

DEMO_TEXT = """\
# ooblexd's configuration. `config/ooblexd.toml` of the project explains every key.

# A moving scene with faces in it, made by ooblexd itself: no camera needed.
[streams.demo]
source = "demo:"
effects = ["blur_faces"]
"""
