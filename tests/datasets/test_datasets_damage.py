"""The damage protocol: fixed by name and seed, and worse with every level."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.datasets.damage import DAMAGE_KINDS, LEVELS, Damage, apply, damage_of
from facepipe.errors import DatasetError

NAMES = [f"Person_{i}/Person_{i}_{j:04d}" for i in range(500) for j in (1, 2)]


@pytest.fixture(scope="module")
def crop(astronaut):
    import cv2

    return np.ascontiguousarray(cv2.resize(astronaut[30:190, 150:287], (96, 112), interpolation=cv2.INTER_AREA))


def difference(a, b):
    return np.abs(a.astype(float) - b).mean()


@pytest.mark.parametrize("kind", DAMAGE_KINDS)
@pytest.mark.parametrize("level", range(1, LEVELS + 1))
def test_every_fault(crop, kind, level):
    before = crop.copy()
    got = apply(crop, Damage(kind, level, 7))
    assert got.shape == crop.shape and got.dtype == np.uint8 and got is not crop
    assert (crop == before).all()
    assert (apply(crop, Damage(kind, level, 7)) == got).all()
    assert difference(got, crop) > 1


@pytest.mark.parametrize("kind", DAMAGE_KINDS)
def test_levels_go_from_slight_to_ruinous(crop, kind):
    far = [difference(apply(crop, Damage(kind, level, 3)), crop) for level in range(1, LEVELS + 1)]
    assert far == sorted(far) and far[-1] > 1.5 * far[0]


def test_only_noise_and_the_place_of_the_bar_are_random(crop):
    for kind in DAMAGE_KINDS:
        same = (apply(crop, Damage(kind, 3, 1)) == apply(crop, Damage(kind, 3, 2))).all()
        assert same == (kind not in ("noise", "occlude"))


def test_fault_longhand():
    digest = hashlib.sha256(b"standard\n5\nAnn_Lee/Ann_Lee_0001").digest()
    number = int.from_bytes(digest, "big")
    assert damage_of("Ann_Lee/Ann_Lee_0001", 5) == Damage(
        DAMAGE_KINDS[(number >> 224) % 6], 1 + (number >> 192) % 2**32 % 5, (number >> 128) % 2**64
    )


def test_golden():
    """Pinned: other faults would make other figures."""
    names = ("Ann_Lee/Ann_Lee_0001", "Aaron_Peirsol/Aaron_Peirsol_0001", "Ümit/Ümit_0002")
    got = [(fault.kind, fault.level) for fault in map(damage_of, names)]
    assert got == [("occlude", 3), ("darken", 1), ("shrink", 5)]


def test_names_and_seeds_spread_over_kinds_and_levels():
    faults = [damage_of(name) for name in NAMES]
    kinds, levels = Counter(f.kind for f in faults), Counter(f.level for f in faults)
    assert set(kinds) == set(DAMAGE_KINDS) and min(kinds.values()) > 120
    assert set(levels) == set(range(1, LEVELS + 1)) and min(levels.values()) > 150
    assert len({f.seed for f in faults}) == len(NAMES)
    assert sum(a != b for a, b in zip(faults, (damage_of(name, 1) for name in NAMES), strict=True)) == len(NAMES)


@settings(deadline=None, max_examples=40)
@given(st.text("aÜ字/_ #\n0", max_size=30), st.integers(-5, 5), st.integers(8, 40), st.integers(8, 40))
def test_any_name_and_size(name, seed, height, width):
    crop = np.full((height, width, 3), 130, np.uint8)
    fault = damage_of(name, seed)
    assert fault == damage_of(name, seed) and apply(crop, fault).shape == crop.shape


def test_unknown_protocol():
    with pytest.raises(DatasetError, match="damage protocol 'mild' is unknown; choose one of standard"):
        damage_of("a", protocol="mild")
