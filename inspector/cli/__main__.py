"""`python -m inspector.cli` is the command `inspector`."""

from inspector.cli import main

main()
