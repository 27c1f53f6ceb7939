"""What is damaged: a sound file of each kind that facepipe reads, and what reads it."""

import io
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        make: writes sound files into a folder and returns the one that is damaged.
        read: reads that file; raises FacepipeError for a damaged one.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]


def _image(form: str, mode: str = "RGB", **options: Any) -> Target:
    def make(folder: Path) -> Path:
        path = folder / f"photo.{form.lower()}"
        Image.fromarray(PIXELS).convert(mode).save(path, form, **options)
        return path

    def read(path: Path) -> Any:
        from facepipe.images import read_image

        return read_image(path)

    return Target(make, read)


def _deep_tiff(folder: Path) -> Path:
    import cv2

    cv2.imwrite(str(folder / "deep.tiff"), PIXELS.astype(np.uint16) * 256)
    return folder / "deep.tiff"


def _read_image(path: Path) -> Any:
    from facepipe.images import read_image

    return read_image(path)


def _network() -> Any:
    import torch

    from facepipe.backbones import create

    torch.manual_seed(0)
    return create("sphereface4", input_size=(16, 16), embedding_dim=8, width=0.125).eval()


def _model(folder: Path) -> Path:
    """A run folder's finished model: card.toml beside weights.safetensors."""
    from train_tiny import write_recipe

    from facepipe.train import resolve
    from facepipe.train.run.card import write_model
    from facepipe.zoo import CardSource

    recipe, _ = resolve(str(write_recipe(folder / "tiny.toml")), folder / "run", [folder], (), False)
    write_model(folder / "model", _network(), recipe, [], CardSource())
    return folder / "model"


def _card(folder: Path) -> Path:
    return _model(folder) / "card.toml"


def _weights(folder: Path) -> Path:
    return _model(folder) / "weights.safetensors"


def _load_model(path: Path) -> Any:
    from facepipe.zoo import load

    return load(path.parent)


def _recipe(folder: Path) -> Path:
    from facepipe.shipped import shipped

    path = folder / "recipe.toml"
    path.write_bytes((shipped("models") / "recipes" / "sphereface20-casia.toml").read_bytes())
    return path


def _load_recipe(path: Path) -> Any:
    from facepipe.train.recipe.file import load_recipe

    return load_recipe(str(path))


def _torch_checkpoint(folder: Path) -> Path:
    import torch

    torch.save({"state_dict": _network().state_dict(), "epoch": 3}, folder / "net.pth")
    return folder / "net.pth"


def _read_torch(path: Path) -> Any:
    from facepipe.zoo.checkpoint import find_state_dict, read_checkpoint

    return find_state_dict(read_checkpoint(path, "torch"), path)


def _training_checkpoint(folder: Path) -> Path:
    import torch

    from facepipe.train.loop.checkpoint import STATE, Checkpoint, save_checkpoint

    state = Checkpoint(4, _network().state_dict(), {"fingerprint": "x"}, {}, 0)
    saved = save_checkpoint(folder / "run", state, _alone(torch.device("cpu")))
    return saved / STATE


def _read_training_checkpoint(path: Path) -> Any:
    import torch

    from facepipe.train.loop.checkpoint import load_checkpoint

    return load_checkpoint(path.parents[2], "x", {}, _alone(torch.device("cpu")))


def _alone(device: Any) -> Any:
    from facepipe.train.distributed.ranks import Ranks

    return Ranks(0, 1, 1, device)


def _embedded() -> Any:
    from facepipe.embedding import Embeddings

    random = np.random.default_rng(0)
    paths = tuple(f"person{number // 2}/{number}.jpg" for number in range(8))
    kappa = random.uniform(10, 900, 8).astype(np.float32)
    return Embeddings(random.normal(size=(8, 8)).astype(np.float32), "net@0", paths=paths, kappa=kappa, trained_dim=8)


def _embeddings(folder: Path) -> Path:
    from facepipe.embedding.embeddings_file import save_embeddings

    save_embeddings(folder / "faces.parquet", _embedded())
    return folder / "faces.parquet"


def _load_embeddings(path: Path) -> Any:
    from facepipe.embedding.batches import load_embeddings

    return load_embeddings(path)


def _gallery(folder: Path) -> Path:
    from facepipe.identification import Gallery, save_gallery

    save_gallery(folder / "people.parquet", Gallery(_embedded()))
    return folder / "people.parquet"


def _load_gallery(path: Path) -> Any:
    from facepipe.identification import load_gallery

    return load_gallery(path).templates("confidence")


def _manifest(folder: Path) -> Path:
    from facepipe.preprocess.manifest import write_manifest

    row = {
        "path": "a/1.jpg", "identity": "a", "crops": ["a/1.jpg"], "height": 24, "width": 20, "faces": 1,
        "boxes": [[1.0, 2.0, 10.0, 12.0]], "landmarks": [[[3.0, 4.0]] * 5], "scores": [0.99], "search": "whole",
        "chosen": [0], "status": "ok", "reason": "", "remarks": [],
    }  # fmt: skip
    (folder / "a").mkdir()
    Image.fromarray(PIXELS).save(folder / "a" / "1.jpg")
    write_manifest(folder / "manifest.parquet", [row, row | {"path": "a/2.jpg"}], {"template": "112x112"})
    return folder / "manifest.parquet"


def _read_manifest(path: Path) -> Any:
    from facepipe.preprocess.manifest import read_manifest

    return list(read_manifest(path.parent))


def _open_manifest(path: Path) -> Any:
    from facepipe.datasets import open_samples

    return open_samples([path.parent])


def _bin(folder: Path) -> Path:
    images = [_png(number) for number in range(4)]
    (folder / "lfw.bin").write_bytes(pickle.dumps((images, [True, False]), 4))
    return folder / "lfw.bin"


def _png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.roll(PIXELS, seed, 0)).save(stream, "PNG")
    return stream.getvalue()


def _read_bin(path: Path) -> Any:
    from facepipe.datasets.pairs.insightface_bin import read_bin

    return read_bin(path)


def _rec(folder: Path) -> Path:
    def record(data: bytes) -> bytes:
        return bytes.fromhex("0a23d7ce") + struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)

    images = [record(struct.pack("<IfQQ", 0, number // 2, 0, 0) + _png(number)) for number in range(4)]
    starts = np.cumsum([0, *map(len, images)])[:-1]
    (folder / "train.rec").write_bytes(b"".join(images))
    (folder / "train.idx").write_text("".join(f"{key}\t{at}\n" for key, at in enumerate(starts)))
    return folder / "train.rec"


def _read_all(path: Path) -> Any:
    from facepipe.datasets import open_samples
    from facepipe.images import read_rgb

    samples = open_samples([path.parent])
    return [read_rgb(samples.read(index), name=samples.key(index)) for index in range(len(samples))]


def _index(folder: Path) -> Path:
    return _rec(folder).with_suffix(".idx")


def _shard(folder: Path) -> Path:
    from train_tiny import write_shard

    return write_shard(folder / "a.tar", [(str(n), _png(n), {"identity": str(n // 2)}) for n in range(4)])


def _mat(folder: Path) -> Path:
    from scipy.io import savemat

    def cell(values: Any) -> np.ndarray:
        out = np.empty((len(values), 1), object)
        out[:, 0] = values
        return out

    trial = [np.array([[1], [2]], np.uint16)]
    savemat(folder / "lists.mat", {
        "imageList": cell(["A_0001.jpg", "B_0001.jpg", "B_0002.jpg"]), "labels": np.array([[1], [2], [2]], np.uint16),
        **{key: cell(trial) for key in ("trainIndex", "testIndex", "galIndex", "probIndex")},
    })  # fmt: skip
    return folder / "lists.mat"


def _read_mat(path: Path) -> Any:
    from facepipe.datasets.templates.blufr import read_blufr

    return read_blufr(path)


def _pairs(folder: Path) -> Path:
    lines = ["2\t2", "Ann_B\t1\t2", "Bo_C\t1\t3", "Ann_B\t1\tBo_C\t2", "Ann_B\t2\tBo_C\t1"]
    lines += ["Cy_D\t1\t2", "Di_E\t1\t3", "Cy_D\t1\tDi_E\t2", "Cy_D\t2\tDi_E\t1"]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder / "pairs.txt"


def _read_pairs(path: Path) -> Any:
    from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs

    return read_lfw_pairs(path)


def _pairs_csv(folder: Path) -> Path:
    (folder / "pairs.csv").write_text("a,b,same,fold\na/1.jpg,a/2.jpg,1,0\na/1.jpg,b/1.jpg,0,0\n")
    return folder / "pairs.csv"


def _read_pairs_csv(path: Path) -> Any:
    from facepipe.datasets.pairs.csv import read_pairs_csv

    return read_pairs_csv(path)


def _onnx(folder: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weight = random.normal(size=(5, 3 * 8 * 6)).astype(np.float32)
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Gemm", ["flat", "w"], ["out"], transB=1)]
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 6])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 5])], [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def _run_onnx(path: Path) -> Any:
    import torch

    from facepipe.zoo.onnx_network import OnnxNetwork

    return OnnxNetwork(path, torch.device("cpu"), (8, 6))(torch.zeros(2, 3, 8, 6))


def _result(folder: Path) -> Path:
    from facepipe.protocols.saved_result import Outcomes

    outcomes = Outcomes(np.array([True, False]), None, np.array([0.5, 0.2], np.float32))
    about = {"protocol": "lfw", "settings": {"model": "net@0"}, "accuracy": 1.0, "outcomes": outcomes.as_json()}
    (folder / "result.json").write_text(json.dumps(about))
    return folder / "result.json"


def _read_result(path: Path) -> Any:
    from facepipe.protocols.saved_result import read_saved_result

    return read_saved_result(path)


def _store(folder: Path) -> Path:
    from facepipe.score.store import export_store

    export_store(_embeddings(folder), folder / "store.npy")
    return folder / "store.npy"


def _open_store(path: Path) -> Any:
    from facepipe.score.search import top_k
    from facepipe.score.store import open_store

    store = open_store(path)
    return top_k(np.ones((1, 8), np.float32), store.vectors, 3)


def _film(name: str, code: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import cv2

        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*code), 10, (64, 48))
        for number in range(8):
            writer.write(np.roll(np.tile(PIXELS, (2, 4, 1))[:, :64], 5 * number, 1))
        writer.release()
        return folder / name

    return make


def _read_film(path: Path) -> Any:
    from facepipe.identification.video import Video

    return sum(1 for _ in Video(str(path)).frames())


def _image_list(folder: Path) -> Path:
    for number in range(4):
        (folder / f"{number}.png").write_bytes(_png(number))
    (folder / "list.txt").write_text("".join(f"{number}.png\t{number // 2}\n" for number in range(4)))
    return folder / "list.txt"


def _open_samples(path: Path) -> Any:
    from facepipe.datasets import open_samples

    return open_samples([path])


def _two_lines(folder: Path) -> Path:
    (folder / "pairs.txt").write_text("A_1.jpg 1\nA_2.jpg 1\nA_1.jpg 0\nB_1.jpg 0\n")
    return folder / "pairs.txt"


def _read_any_pairs(path: Path) -> Any:
    from facepipe.datasets.pairs.any_pairs import read_pairs

    return read_pairs(path)


def _ijb(folder: Path) -> Path:
    meta = folder / "IJBC" / "meta"
    meta.mkdir(parents=True)
    (meta / "ijbc_face_tid_mid.txt").write_text("".join(f"{n}.jpg {n // 2 + 1} {n}\n" for n in range(8)))
    points = " ".join(f"{number}.5" for number in range(10))
    (meta / "ijbc_name_5pts_score.txt").write_text("".join(f"{n}.jpg {points} 0.9\n" for n in range(8)))
    (meta / "ijbc_template_pair_label.txt").write_text("1 2 0\n1 1 1\n3 4 0\n")
    (meta / "ijbc_1N_probe_mixed.csv").write_text("TEMPLATE_ID,SUBJECT_ID\n1,1\n2,1\n3,2\n")
    return meta


def _read_ijb(path: Path) -> Any:
    from facepipe.datasets.templates import ijb

    lists = ijb.find_ijb(path.parents[2], "C")
    faces = ijb.read_faces(lists)
    return ijb.read_template_pairs(lists.pairs, np.unique(faces.template)), ijb.read_enrolment(lists.probes)


def _ijba(folder: Path) -> Path:
    head = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
    rows = (f"{n // 2},{n // 4},img/{n}.jpg,{n},1.5,2.5,30,40\n" for n in range(8))
    (folder / "verify_metadata_1.csv").write_text(head + "".join(rows))
    (folder / "verify_comparisons_1.csv").write_text("0,1\n2,3\n0,3\n")
    return folder / "verify_metadata_1.csv"


def _read_ijba(path: Path) -> Any:
    from facepipe.datasets.templates.ijba import read_verify_split

    return read_verify_split(1, path.parent)


def _feature(folder: Path) -> Path:
    from facepipe.datasets.templates.megaface_features import write_feature

    write_feature(folder / "a.jpg_x.bin", np.arange(16))
    return folder / "a.jpg_x.bin"


def _read_feature(path: Path) -> Any:
    from facepipe.datasets.templates.megaface_features import read_feature

    return read_feature(path)


def _megaface_list(folder: Path) -> Path:
    (folder / "list.json").write_text(json.dumps({"id": ["1", "2"], "path": ["a/1.jpg", "b/2.jpg"]}))
    return folder / "list.json"


def _read_megaface_list(path: Path) -> Any:
    from facepipe.datasets.templates.megaface_features import read_list

    return read_list(path)


def _photo_table(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": _png(number), "path": f"{number}.png"} for number in range(4)]
    pq.write_table(pa.table({"image": images, "identity": ["a", "a", "b", "b"]}), folder / "photos.parquet")
    return folder / "photos.parquet"


def _read_photo_table(path: Path) -> Any:
    from facepipe.datasets.photos import list_collection
    from facepipe.errors import ImageError
    from facepipe.files import PassedOver
    from facepipe.images import read_image

    for photo in list_collection(path, PassedOver()):
        try:
            read_image(photo)
        except ImageError:  # of one of many: it is left out
            continue


TARGETS = {
    "JPEG": _image("JPEG"), "grey JPEG": _image("JPEG", "L"), "CMYK JPEG": _image("JPEG", "CMYK"),
    "progressive JPEG": _image("JPEG", progressive=True), "PNG": _image("PNG"), "PNG with alpha": _image("PNG", "RGBA"),
    "palette PNG": _image("PNG", "P"), "WebP": _image("WEBP"), "TIFF": _image("TIFF"),
    "packed TIFF": _image("TIFF", compression="tiff_lzw"), "16-bit TIFF": Target(_deep_tiff, _read_image),
    "BMP": _image("BMP"), "GIF": _image("GIF", "P"),
    "card": Target(_card, _load_model), "safetensors": Target(_weights, _load_model),
    "torch checkpoint": Target(_torch_checkpoint, _read_torch),
    "training checkpoint": Target(_training_checkpoint, _read_training_checkpoint),
    "recipe": Target(_recipe, _load_recipe), "embeddings": Target(_embeddings, _load_embeddings),
    "gallery": Target(_gallery, _load_gallery), "manifest": Target(_manifest, _read_manifest),
    "manifest as samples": Target(_manifest, _open_manifest), "bin": Target(_bin, _read_bin),
    "rec": Target(_rec, _read_all), "rec index": Target(_index, _read_all), "shard": Target(_shard, _read_all),
    "mat": Target(_mat, _read_mat), "LFW pairs": Target(_pairs, _read_pairs),
    "CSV pairs": Target(_pairs_csv, _read_pairs_csv),
    "CALFW pairs": Target(_two_lines, _read_any_pairs), "image list": Target(_image_list, _open_samples),
    "faces of IJB-C": Target(lambda folder: _ijb(folder) / "ijbc_face_tid_mid.txt", _read_ijb),
    "landmarks of IJB-C": Target(lambda folder: _ijb(folder) / "ijbc_name_5pts_score.txt", _read_ijb),
    "pairs of IJB-C": Target(lambda folder: _ijb(folder) / "ijbc_template_pair_label.txt", _read_ijb),
    "probes of IJB-C": Target(lambda folder: _ijb(folder) / "ijbc_1N_probe_mixed.csv", _read_ijb),
    "list of IJB-A": Target(_ijba, _read_ijba), "MegaFace feature": Target(_feature, _read_feature),
    "MegaFace list": Target(_megaface_list, _read_megaface_list),
    "table of photos": Target(_photo_table, _read_photo_table),
    "MPEG-4 film": Target(_film("film.mp4", "mp4v"), _read_film),
    "AVI film": Target(_film("film.avi", "MJPG"), _read_film),
    "ONNX": Target(_onnx, _run_onnx), "result": Target(_result, _read_result), "store": Target(_store, _open_store),
}  # fmt: skip
