"""The command line: parse, call `ttpose.api`, show. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `ttpose` command and exit: 0 done, 1 something failed, 2 wrong use, 130 interrupted."""
    from ttpose.cli.streams import drop_stdout
    from ttpose.core.memory import keep_freed_memory

    keep_freed_memory()

    code: int | str | None = 0
    try:
        from ttpose.cli.app import app

        app(prog_name="ttpose")
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        print("ttpose: interrupted", file=sys.stderr)
        code = 130
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        code = 1
    sys.exit(code)
