from __future__ import annotations

import pytest

from tests.clips import write_clip
from tests.report.examples import FRAMES, NASTY, Clip, figure, made_for, small_samples


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A clip with an awkward name in which a person walks right; nobody is in frames 20 to 22."""
    path = write_clip(tmp_path_factory.mktemp("clip") / NASTY, FRAMES)
    walk = [None if 20 <= i <= 22 else figure(i) for i in range(FRAMES)]
    return Clip(path, made_for(path, walk, small_samples()))
