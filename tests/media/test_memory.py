from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import clips

# Reads a clip more slowly than the decoder could and prints how much the peak of the resident memory grew, in MB.
_READ = """
import resource, sys, time
from ttpose.media import open_source

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)

source = open_source(sys.argv[1])
start = None
for frame in source.frames():
    time.sleep(0.005 if frame.index < 300 else 0)  # long enough for a reader without restraint to run far ahead
    if frame.index == 20:
        start = peak()
print(peak() - start, source.decoder)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read with the resource module")
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    small = np.random.default_rng(0).integers(0, 256, (45, 80, 3)).astype(np.uint8)
    large = np.kron(small, np.ones((8, 8, 1), np.uint8))
    images = [np.ascontiguousarray(np.roll(large, 8 * i, axis=1)) for i in range(80)]
    # 640 frames of 640x360 are 442 MB as RGB.
    clips.write_clip(path, images=images * 8, times_s=[i / 30 for i in range(640)], codec="mpeg4")
    run = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True)
    grown, decoder = run.stdout.split()
    assert float(grown) < 40, decoder
