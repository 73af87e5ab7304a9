"""Ends the process that imports it."""

import sys

sys.exit("this machine has no licence")
