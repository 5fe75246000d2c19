"""Time the product against what a user would write, and against the bare models."""
