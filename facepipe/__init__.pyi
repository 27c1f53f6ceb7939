from facepipe import evaluation
from facepipe.api.comparison import Comparison as Comparison
from facepipe.api.comparison import Decide as Decide
from facepipe.api.face import Face as Face
from facepipe.api.functions import align as align
from facepipe.api.functions import compare as compare
from facepipe.api.functions import detect as detect
from facepipe.api.functions import embed as embed
from facepipe.api.functions import identify as identify
from facepipe.api.pipeline import Pipeline as Pipeline
from facepipe.detection.settings import DetectorSettings as DetectorSettings
from facepipe.errors import FacepipeError as FacepipeError
from facepipe.zoo.loading import load as load

evaluate = evaluation

__version__: str
