"""Rows, pictures and the spool: what a station has seen and said, kept through crashes."""
