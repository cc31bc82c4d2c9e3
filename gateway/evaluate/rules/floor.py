"""The floor: what nobody can beat who counts by reads."""

from dataclasses import dataclass

import numpy as np

from gateway.evaluate.readings import Readings
from gateway.evaluate.tracks import NOWHERE, Tracks, tracks


@dataclass(frozen=True, slots=True)
class Floor:
    """Knows the truth, but counts an item in a zone only from its first read there on; takes it away at once.

    A read counts from the moment it was received, if it was taken during the stay in that zone.
    """

    def __call__(self, readings: Readings) -> Tracks:
        truth = readings.truth
        zones = len(readings.zone_ids)
        until_us = np.full(len(truth.tag), readings.end_us)
        same = truth.tag[1:] == truth.tag[:-1]
        until_us[:-1][same] = truth.at_us[1:][same]
        read_in = readings.tag * zones + readings.zone
        order = np.lexsort((readings.taken_us, read_in))
        keys = readings.key(read_in[order], readings.taken_us[order])
        stay = truth.zone != NOWHERE
        stay_in = truth.tag[stay] * zones + truth.zone[stay]
        following = np.searchsorted(keys, readings.key(stay_in, truth.at_us[stay]), side="left")
        found = following < len(order)
        rows = order[following[found]]
        heard_us = np.full(len(stay_in), np.iinfo(np.int64).max)
        right = (read_in[rows] == stay_in[found]) & (readings.taken_us[rows] < until_us[stay][found])
        heard_us[np.flatnonzero(found)[right]] = np.maximum(
            readings.at_us[rows[right]], truth.at_us[stay][found][right]
        )
        heard = heard_us < until_us[stay]
        return tracks(
            np.concatenate([truth.at_us, heard_us[heard]]),
            np.concatenate([truth.tag, truth.tag[stay][heard]]),
            np.concatenate([np.full(len(truth.tag), NOWHERE), truth.zone[stay][heard]]),
        )
