"""Monotonic moments are whole nanoseconds; limits and settings are seconds or milliseconds."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
