"""How much power reaches a tag: distance, the antenna's pattern, the tag's own null, and walls in between.

All is one way, from the antenna to the tag; what comes back suffers the same again, so RSSI moves by twice as much.
"""

import numpy as np
from numpy.typing import NDArray

from simulators.shop.plan import AntennaMount, Wall

Floats = NDArray[np.float64]

# Free space at 1 m and 866 MHz: 20 log10(4 pi d f / c).
FIRST_METRE_DB = 31.2
# A usual 30 x 30 cm patch antenna: its gain, the angle at which half of it is left, and its back.
GAIN_DBI = 6.0
HALF_POWER_RAD = np.radians(33.0)
FRONT_TO_BACK_DB = 18.0
# A dipole tag (2.15 dBi) loses half of a circular wave, and all but this where it points at the antenna.
TAG_GAIN_DB = 2.15 - 3.0
DEEPEST_NULL_DB = 15.0
# What the tag's chip needs to answer, and how chips differ; current retail chips are between -16 and -22 dBm.
SENSITIVITY_DBM, SENSITIVITY_SPREAD_DB = -18.0, 1.0
# Nothing gets nearer to an antenna than its own case.
NEAREST_M = 0.3


class Antennas:
    """All antennas of a store, side by side."""

    def __init__(self, mounts: list[AntennaMount], walls: tuple[Wall, ...], path_exponent: float) -> None:
        self.power_dbm: Floats = np.array([mount.power_dbm for mount in mounts])
        self._at: Floats = np.array([mount.at for mount in mounts])
        aims = np.array([mount.aim or (*mount.at[:2], mount.at[2] - 1.0) for mount in mounts]) - self._at
        self._aim: Floats = aims / np.linalg.norm(aims, axis=1, keepdims=True)
        self._walls = walls
        self._exponent = path_exponent

    def __len__(self) -> int:
        return len(self._at)

    def reach(self, places: Floats, axes: Floats) -> Floats:
        """Power at each tag in dBm, by antenna and tag; `places` in m and unit `axes` have one row for each tag."""
        ways = places[None, :, :] - self._at[:, None, :]
        distances = np.maximum(np.linalg.norm(ways, axis=2), NEAREST_M)
        ways /= distances[:, :, None]
        ahead = np.einsum("atk,ak->at", ways, self._aim)
        angles = np.arccos(np.clip(ahead, -1.0, 1.0))
        pattern_db = np.minimum(3.0 * (angles / HALF_POWER_RAD) ** 2, FRONT_TO_BACK_DB)
        along = np.einsum("atk,tk->at", ways, axes)
        null_db = np.minimum(-10.0 * np.log10(np.maximum(1.0 - along**2, 1e-3)), DEEPEST_NULL_DB)
        spread_db = FIRST_METRE_DB + 10.0 * self._exponent * np.log10(distances)
        level: Floats = self.power_dbm[:, None] + GAIN_DBI - pattern_db - spread_db + TAG_GAIN_DB - null_db
        level -= self._wall_db(places)
        return level

    def bearings(self, at: tuple[float, float]) -> tuple[Floats, Floats]:
        """From a point 1 m above the floor: the direction of each antenna in the plan, and cos of its elevation."""
        ways = self._at - np.array([*at, 1.0])
        flat = np.hypot(ways[:, 0], ways[:, 1])
        return np.arctan2(ways[:, 1], ways[:, 0]), flat / np.maximum(np.linalg.norm(ways, axis=1), NEAREST_M)

    def _wall_db(self, places: Floats) -> Floats:
        """What the walls between each antenna and each tag take away."""
        loss = np.zeros((len(self._at), len(places)))
        start = self._at[:, None, :2]
        way = places[None, :, :2] - start
        for wall in self._walls:
            corner, other = np.array(wall.from_), np.array(wall.to)
            along = other - corner
            across = way[..., 0] * along[1] - way[..., 1] * along[0]
            safe = np.where(np.abs(across) < 1e-9, np.inf, across)
            gap = corner - start
            on_way = (gap[..., 0] * along[1] - gap[..., 1] * along[0]) / safe
            on_wall = (gap[..., 0] * way[..., 1] - gap[..., 1] * way[..., 0]) / safe
            crossed = (on_way > 0) & (on_way < 1) & (on_wall >= 0) & (on_wall <= 1) & np.isfinite(safe)
            loss += np.where(crossed, wall.loss_db, 0.0)
        return loss
