"""Set-up of the whole suite."""

from __future__ import annotations

import os

# Before torch is imported, here or in a subprocess: the suite runs as many processes as there are cores, and threads of
# each that wait for one another's cores make everything several times slower.
os.environ["OMP_NUM_THREADS"] = "1"
