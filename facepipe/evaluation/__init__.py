"""Evaluation: from images or embeddings and a data set's lists to the typed result of a protocol.

One function per protocol. The first argument is where embeddings come from: a `Source`, or a folder of images or file
of embeddings, which stands for the source with everything else as usual.
"""

from facepipe.evaluation.bin import bin
from facepipe.evaluation.blufr import blufr
from facepipe.evaluation.cfp import cfp
from facepipe.evaluation.ijb import ijb
from facepipe.evaluation.ijba import ijba
from facepipe.evaluation.lfw import lfw
from facepipe.evaluation.megaface import megaface
from facepipe.evaluation.openset import openset
from facepipe.evaluation.pairs import pairs
from facepipe.evaluation.risk import risk
from facepipe.evaluation.source import Source
from facepipe.evaluation.ytf import ytf

__all__ = ["Source", "bin", "blufr", "cfp", "ijb", "ijba", "lfw", "megaface", "openset", "pairs", "risk", "ytf"]
