"""The six baselines by the names that the paper gives them, in its order."""

from typing import Final

from shared.baselines.base import Baseline
from shared.baselines.ga import GA
from shared.baselines.ga_diff import GA_DIFF
from shared.baselines.kl_min import KL_MIN
from shared.baselines.manu import MANU
from shared.baselines.mmunlearner import MMUNLEARNER
from shared.baselines.npo import NPO

BASELINES: Final[dict[str, Baseline]] = {
    baseline.name: baseline for baseline in (GA, GA_DIFF, KL_MIN, NPO, MMUNLEARNER, MANU)
}
