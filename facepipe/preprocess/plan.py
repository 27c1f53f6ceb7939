"""The settings of a preprocessing job."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.alignment import template
from facepipe.detection import DetectorSettings
from facepipe.files.fingerprint import digest_of_bytes
from facepipe.files.stored import StoredPath
from facepipe.pipeline import UNIT
from facepipe.weights import cache_folder


@dataclass(frozen=True)
class Plan:
    """Settings of a preprocessing job.

    Attributes:
        root, out: the folder of raw images and the folder for crops.
        template: name of an alignment template, see `facepipe.alignment.TEMPLATES`.
        rule: which face to use if there are several, see `facepipe.detection.choose`.
        on_miss: ``drop`` images without a face, or crop their ``centre``.
        detection: None treats images as aligned crops.
        suffix, quality: format of the crops, ``.jpg``, ``.png`` or ``.webp``, and its quality from 1 to 100.
        shard: (i, n): process the i-th of n parts, i from 1.
        strict: reject images with damaged data.
        identity_depth: which folder level below ``root`` names the person, 1 for the top one.
        pack: ``tar`` or ``parquet``: write crops into packs, see `facepipe.preprocess.packs`; empty: one file each.
        pack_size: images per pack.
        pages: treat every page, frame or picture of a file as an image, not only the first.
    """

    root: Path
    out: Path
    template: str = "112x112"
    rule: str = "centre"
    on_miss: str = "drop"
    detection: DetectorSettings | None = field(default_factory=DetectorSettings)
    suffix: str = ".jpg"
    quality: int = 95
    shard: tuple[int, int] = (1, 1)
    strict: bool = False
    identity_depth: int = 1
    pack: str = ""
    pack_size: int = 4096
    pages: bool = False

    @property
    def unit(self) -> int:
        """Images per unit of work."""
        return self.pack_size if self.pack else UNIT

    @property
    def work(self) -> Path:
        """The folder of the job's records: in ``out``, or in this machine's cache if ``out`` is a remote store."""
        if isinstance(self.out, StoredPath):
            return cache_folder() / "jobs" / digest_of_bytes(str(self.out).encode())
        return self.out / ".facepipe"

    @property
    def tail(self) -> str:
        """Suffix of the shard's file names; empty without shards."""
        part, parts = self.shard
        return "" if parts == 1 else f"-{part:05d}-of-{parts:05d}"

    def settings(self) -> dict[str, Any]:
        """The settings that must match for a job to be resumed, as plain JSON values."""
        # Jobs from before these options have no entry; they were not strict and read first pages.
        strict = ({"strict": True} if self.strict else {}) | ({"pages": "all"} if self.pages else {})
        # Packs contain the person.
        packed = {"pack": self.pack, "pack_size": self.pack_size, "identity_depth": self.identity_depth}
        return strict | (packed if self.pack else {}) | {
            "root": str(self.root) if isinstance(self.root, StoredPath) else str(self.root.resolve()),
            "template": template(self.template).identity,
            "faces": self.rule,
            "on_miss": self.on_miss,
            "detection": None if self.detection is None else self.detection.to_dict(),
            "format": self.suffix,
            "quality": self.quality,
            "shards": self.shard[1],
        }

    def about(self) -> dict[str, Any]:
        """How the crops were made, for the manifest; images treated as aligned crops have no ``template``."""
        recorded = {name: value for name, value in self.settings().items() if name not in ("root", "shards")}
        return recorded if self.detection is not None else recorded | {"template": None}
