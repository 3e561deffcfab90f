"""`python -m ttpose` is the `ttpose` command."""

from __future__ import annotations

from ttpose.cli import main

main()
