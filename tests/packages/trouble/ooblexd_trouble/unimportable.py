"""Needs what is not there."""

raise ImportError("libcudart.so.99: cannot open shared object file")
