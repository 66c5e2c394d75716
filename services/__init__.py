"""The processes of Lacuna, and what they are made of.

Every process imports this package before torch, whose threads wait for each other many times in a forward pass. GNU's
OpenMP lets a waiting thread spin 300,000 times before it sleeps. Where another process wants the same cores, the thread
that is waited for does not run meanwhile, and an answer takes up to a hundred times as long. Spinning less costs little
on a machine of its own. Whoever sets OMP_WAIT_POLICY or GOMP_SPINCOUNT keeps their setting.
"""

import os

SPINS = "2000"  # chosen by measurement: docs/LOG.md, 2026-11-30

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
