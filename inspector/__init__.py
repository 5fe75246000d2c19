"""Inspect parts against a written quality standard, clause by clause."""

__version__ = "0.1.0"
