"""The rivals and their settings. Fixed: written before our own rule was tuned, and not changed since.

Each rival has what its makers set first, then what spans the useful range. The best of them on a scenario is what we
are compared with: nobody in a shop could choose better.
"""

from collections.abc import Mapping
from itertools import product

from gateway.evaluate.rules.ale import AleSmoothing
from gateway.evaluate.rules.edgex import EdgeX
from gateway.evaluate.rules.hmm import TwoStates
from gateway.evaluate.rules.rsp import IntelRsp
from gateway.evaluate.rules.rule import LAST_READ, Place, Rule
from gateway.evaluate.rules.smurf import Smurf
from gateway.evaluate.rules.smurf_count import SmurfCount
from gateway.evaluate.rules.weighted import ASSET_TRACKING, RETAIL_GARMENT
from gateway.evaluate.rules.window import FixedWindow

# A few seconds follow a walk, a minute evens out fading.
PLACES = (LAST_READ, Place(mean_s=10.0), Place(mean_s=60.0))

OURS = "ours"
FLOOR = "floor"

GRIDS: Mapping[str, tuple[Rule, ...]] = {
    "EdgeX asset tracking": tuple(EdgeX(ASSET_TRACKING, departed_s) for departed_s in (600.0, 60.0, 1800.0, 7200.0)),
    "EdgeX retail garment": tuple(EdgeX(RETAIL_GARMENT, departed_s) for departed_s in (600.0, 60.0, 1800.0, 7200.0)),
    "Intel RSP": tuple(
        IntelRsp(mobility, exit_s, till_s)
        for mobility, exit_s, till_s in product((RETAIL_GARMENT, ASSET_TRACKING), (30.0, 10.0), (3600.0, 60.0))
    ),
    "window 10 s": tuple(FixedWindow(10.0, place) for place in PLACES),
    "window 600 s": tuple(FixedWindow(600.0, place) for place in PLACES),
    "ALE smoothing": tuple(
        AleSmoothing(glimpsed_s, count, span_s, lost_s, place)
        for (glimpsed_s, count, span_s), lost_s, place in product(
            ((30.0, 2, 5.0), (120.0, 3, 60.0)), (60.0, 300.0, 1800.0), (LAST_READ, Place(mean_s=60.0))
        )
    ),
    "SMURF": tuple(
        Smurf(delta, epoch_s, place)
        for (delta, epoch_s), place in product(
            ((0.05, 1.0), (0.001, 1.0), (0.05, 20.0), (0.001, 20.0)), (LAST_READ, Place(mean_s=60.0))
        )
    ),
    "SMURF count": tuple(
        SmurfCount(delta, epoch_s) for delta, epoch_s in ((0.05, 1.0), (0.001, 1.0), (0.05, 20.0), (0.001, 20.0))
    ),
    "HMM": tuple(
        TwoStates(stay_s, away_s, epoch_s, place)
        for (stay_s, away_s, epoch_s), place in product(
            (
                (600.0, 3600.0, 1.0),
                (86_400.0, 86_400.0, 1.0),
                (1e9, 86_400.0, 1.0),
                (86_400.0, 86_400.0, 20.0),
                (1e9, 86_400.0, 20.0),
            ),
            (LAST_READ, Place(mean_s=60.0)),
        )
    ),
}
