"""The command line: parse, call `ttpose.api`, show. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `ttpose` command and exit: 0 done, 1 something failed, 2 wrong use, 130 interrupted."""
    from ttpose.cli.streams import drop_stdout, prepare_streams
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
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        code = 1
    except OSError as error:  # a full disk, or a stream that cannot be written
        drop_stdout()
        print(f"ttpose: cannot write the output: {error.strerror or error}", file=sys.stderr)
        code = code or 1
    if code in STOPPED:
        leave_at_once(code)
    sys.exit(code)
