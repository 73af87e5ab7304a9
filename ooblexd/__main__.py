"""``python -m ooblexd``."""

from ooblexd.cli import main

raise SystemExit(main())
