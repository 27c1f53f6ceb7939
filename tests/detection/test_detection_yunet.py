"""YuNet behind the same call as MTCNN: its landmarks, its sizes, what it refuses, and where its weights come from."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from cli_run import refused, run
from face_pack import PACKAGED, cut_to_box, resized, turned

from facepipe.detection import create_detector, preset
from facepipe.detection.repeated import RepeatedSearch
from facepipe.detection.yunet import YuNet
from facepipe.errors import FacepipeError, ModelError
from facepipe.images import write_rgb
from facepipe.zoo import detector_cards


@pytest.fixture(scope="module")
def yunet(yunet_weights):
    return YuNet(yunet_weights)


@pytest.fixture(params=PACKAGED)
def photo(request):
    return PACKAGED[request.param]()


def error(photo, faces):
    """In eye distances, of the best face."""
    return np.linalg.norm(faces.landmarks[0] - photo.landmarks, axis=1).mean() / photo.eye_distance


def test_five_landmarks_in_the_order_of_the_viewer(yunet, photo):
    (faces,) = yunet([photo.pixels])
    assert len(faces) == 1 and faces.boxes.dtype == faces.scores.dtype == faces.landmarks.dtype == np.float32
    assert error(photo, faces) < 0.12
    # Two detectors see a box differently, but the same face.
    assert np.abs(faces.boxes[0] - photo.box).max() < 0.25 * photo.side


@pytest.mark.slow
@pytest.mark.parametrize("side", [24, 96, 600, 2000])
def test_small_and_huge(yunet, photo, side):
    known = resized(cut_to_box(photo, 0.6) if side > 100 else photo, side)
    (faces,) = yunet([known.pixels])
    assert error(known, faces) < 0.12
    assert faces.scores[0] == faces.scores.max()


def test_smaller_faces_than_asked_for_are_dropped(yunet, yunet_weights, photo):
    (box,) = yunet([photo.pixels])[0].boxes
    longer = float(max(box[2:] - box[:2]))
    for least, count in ((int(longer), 1), (int(longer) + 1, 0)):
        assert len(YuNet(yunet_weights, preset("yunet", min_face=least))([photo.pixels])[0]) == count


def test_large_photos_are_reduced(yunet_weights, photo):
    known = resized(photo, 400)
    (faces,) = YuNet(yunet_weights, preset("yunet", max_pixels=200_000))([known.pixels])
    assert error(known, faces) < 0.12


def test_together_as_one_by_one(yunet):
    photos = [make().pixels for make in PACKAGED.values()]
    photos += [photos[0][:, ::-1].copy(), np.zeros((40, 30, 3), np.uint8), photos[1][:1, :1]]
    together = yunet(photos)
    assert [len(faces) for faces in together] == [1, 1, 1, 0, 0]
    for pixels, faces in zip(photos, together, strict=True):
        (alone,) = yunet([pixels])
        np.testing.assert_array_equal(alone.landmarks, faces.landmarks)
    assert yunet([]) == []


def test_the_mirrored_photo_has_mirrored_landmarks(yunet, photo):
    (faces,), (mirrored,) = yunet([photo.pixels]), yunet([np.ascontiguousarray(photo.pixels[:, ::-1])])
    back = mirrored.landmarks[0][[1, 0, 2, 4, 3]] * (-1, 1) + (photo.pixels.shape[1] - 1, 0)
    assert np.linalg.norm(faces.landmarks[0] - back, axis=1).mean() < 0.1 * photo.eye_distance


def test_a_stricter_threshold_finds_fewer(yunet_weights, photo):
    assert len(YuNet(yunet_weights, preset("yunet").with_least_score(0.99))([photo.pixels])[0]) == 0


def test_an_upright_face_is_sure_and_a_turned_one_is_not(yunet, photo):
    """With --turns an upright photo costs nothing more, and one on its side is found."""
    settings = preset("yunet", turns=True, border=False)
    upright, lying = yunet([photo.pixels, turned(photo, 1).pixels])
    assert upright.scores[0] >= settings.confident_score > lying.scores.max(initial=0)
    (found,) = RepeatedSearch(yunet, settings)([turned(photo, 1).pixels])
    assert found.search == "turned-270" and error(turned(photo, 1), found) < 0.2


def test_what_it_refuses(yunet, yunet_weights, tmp_path):
    with pytest.raises(FacepipeError, match="uint8 H×W×3"):
        yunet([np.zeros((5, 5), np.uint8)])
    with pytest.raises(FacepipeError, match="yunet takes 1, each at least 0"):
        preset("yunet", thresholds=(0.6, 0.7, 0.9))
    with pytest.raises(ModelError, match=r"gone\.onnx: cannot read this file"):
        YuNet(tmp_path / "gone.onnx")
    half = tmp_path / "half.onnx"
    half.write_bytes(yunet_weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"half\.onnx: OpenCV .* cannot load this as YuNet"):
        YuNet(half)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def served(yunet_weights, monkeypatch):
    """YuNet's card with its file on a server of our own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = yunet_weights.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    card = detector_cards()["yunet"]
    weights = replace(card.weights, url=f"http://127.0.0.1:{server.server_port}/yunet.onnx")
    cards = {"yunet": replace(card, weights=weights)}
    for module in ("facepipe.zoo.catalogue", "facepipe.zoo"):
        monkeypatch.setattr(f"{module}.detector_cards", lambda: cards)
    yield
    server.shutdown()
    server.server_close()


def test_models_pull(served, cache):
    ended = run("models", "pull", "yunet")
    assert ended.code == 0 and str(cache) in ended.out
    told = run("models", "list", "--json").json["detectors"]
    assert [(entry["name"], entry["cached"]) for entry in told] == [("yunet", True)]


def test_models_import_and_show(yunet_weights, cache):
    assert run("models", "show", "yunet", "--json").json["cached"] is False
    assert run("models", "import", "yunet", yunet_weights).code == 0
    assert run("models", "show", "yunet", "--json").json["cached"] is True
    people = run("models", "show", "yunet").out
    assert "weights.sha256: 49f000ec" in people and "source.licence: MIT" in people


def test_models_import_of_another_file(cache, tmp_path):
    (tmp_path / "other.onnx").write_bytes(b"no network")
    assert "not the weights of yunet" in refused("models", "import", "yunet", tmp_path / "other.onnx")
    assert "not the weights of yunet" in refused("models", "import", "yunet", tmp_path / "other.onnx", "--overwrite")
    assert not cache.exists()


def test_detector_yunet_on_the_command_line(yunet_weights, cache, tmp_path):
    photo = tmp_path / "photo.png"
    write_rgb(photo, PACKAGED["astronaut"]().pixels)
    assert "facepipe models pull yunet" in refused("detect", photo, "--detector", "yunet")
    run("models", "import", "yunet", yunet_weights)
    (seen,) = run("detect", photo, "--detector", "yunet", "--json").lines
    (found,) = create_detector(preset("yunet"))([PACKAGED["astronaut"]().pixels])
    np.testing.assert_allclose(seen["faces"][0]["landmarks"], found.landmarks[0], atol=1e-3)
    (strict,) = run("detect", photo, "--detector", "yunet", "--min-score", "0.99", "--json").lines
    assert strict["faces"] == []
    assert "--preset fast is for mtcnn" in refused("detect", photo, "--detector", "yunet", "--preset", "fast")
    damaged = next((cache / "weights").iterdir())
    damaged.write_bytes(b"something else")
    assert "damaged or replaced" in refused("detect", photo, "--detector", "yunet")
