"""`ttpose synth`: labelled clips of synthetic people, to train on and to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ttpose.cli import options
from ttpose.cli.session import session
from ttpose.core.errors import UsageError
from ttpose.core.files import check_folder


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, show_default=False, help="Output folder.")],
    assets: Annotated[
        Path, typer.Option(metavar="FILE", show_default=False, help="The asset file (docs/synthetic.md).")
    ],
    identities: Annotated[int, typer.Option(min=1, metavar="N", help="People.")] = 10,
    clips: Annotated[int, typer.Option(min=1, metavar="M", help="Clips per person.")] = 2,
    frames: Annotated[int, typer.Option(min=1, metavar="T", help="Frames per clip.")] = 16,
    size: Annotated[int, typer.Option(min=32, metavar="S", help="Side of the frames in pixels.")] = 256,
    jobs: Annotated[int, typer.Option(min=1, metavar="J", help="Processes; each takes about 400 MB.")] = 1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Random seed of the first person.")] = 0,
    masks: Annotated[bool, typer.Option("--masks", help="Also write the person's masks.")] = False,
    shards: Annotated[bool, typer.Option("--shards", help="One .npz per person instead of clip folders.")] = False,
    bystanders: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of clips with somebody else in the frame.")
    ] = 0.0,
    share_alike: Annotated[
        bool, typer.Option("--share-alike/--no-share-alike", help="Use backgrounds under CC BY-SA.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Render finished people again.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render labelled clips of synthetic people; finished people in OUT are kept, so a run can be resumed."""
    with session(quiet=quiet, debug=debug) as reporter:
        check_folder(out)
        try:
            from ttpose_synth.generate import RenderSettings, generate
        except ModuleNotFoundError as error:
            if error.name != "ttpose_synth":
                raise
            raise UsageError(
                "the renderer is a package of its own, which is not installed",
                "in a copy of the repository: pip install ./synthetic",
            ) from error

        settings = RenderSettings(
            clips=clips,
            frames=frames,
            size=size,
            masks=masks,
            shards=shards,
            share_alike=share_alike,
            bystanders=bystanders,
        )
        reporter.start("synth", "cpu", 1)
        reporter.begin(out, 1, 1)
        done = generate(
            out, assets, identities=identities, settings=settings, seed=seed, jobs=jobs, overwrite=overwrite,
            progress=reporter,
        )  # fmt: skip
        reporter.close()
        if not quiet:
            typer.echo(f"{out}: {done.rendered} people rendered, {done.kept} kept")
