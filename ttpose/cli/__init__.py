"""The command line: parse, call `ttpose.api`, show. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `ttpose` command and exit: 0 done, 1 something failed, 2 wrong use, 130 interrupted."""
    from ttpose.cli.streams import prepare_streams
    from ttpose.core.memory import keep_freed_memory
    from ttpose.core.stopping import STOPPED, leave_at_once
    from ttpose.core.threads import yield_while_waiting

    keep_freed_memory()
    yield_while_waiting()

    prepare_streams()
    code: int | str | None = 0
    try:
        from ttpose.cli.app import app

        app(prog_name="ttpose")
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        print("ttpose: interrupted", file=sys.stderr)
        code = 130
    except OSError as error:
        if error.filename is not None:
            raise
        code = _not_written(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _not_written(error)
    if code in STOPPED:
        leave_at_once(code)
    sys.exit(code)


def _not_written(error: OSError) -> int:
    """Our own output cannot be written: nobody reads on, which needs no words, or the disk is full; the exit code."""
    from ttpose.cli.streams import drop_stdout

    drop_stdout()
    if not isinstance(error, BrokenPipeError):
        print(f"ttpose: cannot write the output: {error.strerror or error}", file=sys.stderr)
    return 1
