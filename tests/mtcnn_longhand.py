"""MTCNN version 1 as its authors' MATLAB code computes it, one image and one candidate at a time, for comparison.

Written from the steps of ``MTCNNv1/detect_face.m`` of kpzhang93/MTCNN_face_detection_alignment and of the functions
that it calls: pixels count from 1 and boxes include their last row and column, ``fix`` drops decimals towards zero, and
what a candidate shows beyond the image is 0. Its resizing is ``imResample(..., 'bilinear')`` of Piotr Dollár's toolbox,
which on a side that shrinks averages over the exact area of an output pixel, and on a side that grows interpolates
between pixel centres (`by_area`). MTCNN's PyTorch form averages over whole pixels instead (`by_blocks`).

The networks are facepipe's with their published weights, tested against facenet-pytorch elsewhere.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from facepipe.detection.networks import load_networks

NETWORKS = load_networks(torch.device("cpu"))


@dataclass(frozen=True)
class Found:
    """``boxes`` N×4 and ``landmarks`` N×5×2 as MATLAB returns them, counted from 1; best score first."""

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class Rules:
    """What MATLAB's code and the PyTorch form, which facepipe's ordinary cascade follows, do differently.

    Attributes:
        exact_area: resizing by `by_area` rather than `by_blocks`.
        truncate: candidates' boxes lose their decimals before R-Net and O-Net, not only their crops.
        whole_pixels: overlap counts sides in whole pixels (last − first + 1) under the Union rule too.
        ceil: levels of the pyramid have ⌈side · scale⌉ pixels, not ⌊side · scale + 1⌋.
        mirror: landmarks are the mean of O-Net's on the crop and on its mirror image.
        later_wins: of equal scores the later candidate is kept at every stage, not only at the last.
        number: precision in which a place in a level becomes one in the image.
    """

    exact_area: bool = True
    truncate: bool = True
    whole_pixels: bool = True
    ceil: bool = True
    mirror: bool = True
    later_wins: bool = True
    number: type = float


MATLAB = Rules()
PYTORCH = Rules(False, False, False, False, False, False, np.float32)


def detect(image, min_size=20, factor=0.85, thresholds=(0.6, 0.7, 0.9), rules=MATLAB):
    """The faces of a uint8 H×W×3 image."""
    height, width = image.shape[:2]
    pixels = image.astype(np.float64)
    found = [
        boxes[nms(boxes, 0.5, "Union", rules)]
        for scale in pyramid(min(height, width), min_size, factor)
        for boxes in [propose(pixels, scale, thresholds[0], rules)]
        if len(boxes)
    ]
    if not found:
        return nobody()
    boxes = np.concatenate(found)
    boxes = boxes[nms(boxes, 0.7, "Union", rules)]
    side = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]] * 2, 1)
    boxes = rerec(np.c_[boxes[:, :4] + boxes[:, 5:9] * side, boxes[:, 4]])

    boxes = fix(boxes, rules)
    crops = np.stack([crop(pixels, box, 24, rules) for box in boxes])
    score, offsets = run(NETWORKS[1], crops)
    boxes, offsets = np.c_[boxes[:, :4], score][score > thresholds[1]], offsets[score > thresholds[1]]
    if not len(boxes):
        return nobody()
    keep = nms(boxes, 0.7, "Union", rules)
    boxes = rerec(bbreg(boxes[keep], offsets[keep]))

    boxes = fix(boxes, rules)
    crops = np.stack([crop(pixels, box, 48, rules) for box in boxes])
    score, offsets, points = run(NETWORKS[2], crops)
    passed = np.flatnonzero(score > thresholds[2])
    if not len(passed):
        return nobody()
    before = np.c_[boxes[:, :4], score][passed]
    moved = bbreg(before, offsets[passed])
    keep = nms(moved, 0.7, "Min", Rules())
    points = points[passed[keep]].reshape(-1, 2, 5)
    if rules.mirror:
        mirrored = run(NETWORKS[2], crops[passed[keep]][:, :, ::-1])[2].reshape(-1, 2, 5)
        other = mirrored[:, :, [1, 0, 2, 4, 3]].copy()  # a mirror image's left eye is the right one
        other[:, 0] = 1 - other[:, 0]
        points = (points + other) / 2
    corner, far = before[keep, :2, None], before[keep, 2:4, None]
    landmarks = (far - corner + 1) * points + corner - 1
    return Found(moved[keep, :4], moved[keep, 4], landmarks.transpose(0, 2, 1))


def nobody():
    return Found(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


def pyramid(shorter_side, min_size, factor):
    first = 12 / min_size
    scales, left = [], shorter_side * first
    while left >= 12:
        scales.append(first * factor ** len(scales))
        left *= factor
    return scales


def propose(pixels, scale, threshold, rules):
    """generateBoundingBox.m: N×9, a box counted from 1, its score and four offsets; column after column."""
    rows, columns = (side * scale for side in pixels.shape[:2])
    size = (math.ceil(rows), math.ceil(columns)) if rules.ceil else (int(rows + 1), int(columns + 1))
    small = resize(pixels, *size, rules)
    probability, offsets = (out[0] for out in run(NETWORKS[0], small[None]))
    places = [(row, column) for column in range(probability.shape[1]) for row in range(probability.shape[0])]
    if not rules.later_wins:
        places.sort()
    boxes = []
    for row, column in places:
        if probability[row, column] >= threshold:
            ends = [(2 * step + more) / rules.number(scale) for more in (1, 12) for step in (column, row)]
            boxes.append([*map(math.floor, ends), probability[row, column], *offsets[:, row, column]])
    return np.array(boxes, np.float32).astype(np.float64).reshape(-1, 9)


def nms(boxes, threshold, kind, rules):
    """nms.m: indices of those kept, best first."""
    left, top, right, bottom, score = boxes[:, :5].T
    one = 1 if rules.whole_pixels or kind == "Min" else 0
    area = (right - left + one) * (bottom - top + one)
    waiting = sorted(range(len(boxes)), key=lambda i: (score[i], i if rules.later_wins else -i))
    kept = []
    while waiting:
        best = waiting.pop()
        kept.append(best)
        rest = []
        for other in waiting:
            wide = min(right[best], right[other]) - max(left[best], left[other]) + one
            high = min(bottom[best], bottom[other]) - max(top[best], top[other]) + one
            shared = max(0, wide) * max(0, high)
            union = area[best] + area[other] - shared
            if shared / (min(area[best], area[other]) if kind == "Min" else union) <= threshold:
                rest.append(other)
        waiting = rest
    return np.array(kept, int)


def rerec(boxes):
    """rerec.m: the square of the longer side about the same centre."""
    boxes = boxes.copy()
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    longest = np.maximum(wide, high)
    boxes[:, 0] += wide * 0.5 - longest * 0.5
    boxes[:, 1] += high * 0.5 - longest * 0.5
    boxes[:, 2:4] = boxes[:, :2] + longest[:, None]
    return boxes


def bbreg(boxes, offsets):
    """bbreg.m: boxes moved by offsets that count in sides, one pixel longer than last − first."""
    boxes = boxes.copy()
    wide, high = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    boxes[:, :4] += offsets * np.stack([wide, high, wide, high], 1)
    return boxes


def fix(boxes, rules):
    # MATLAB holds boxes in single precision, which decides on which side of a whole number they lie.
    boxes = boxes.astype(np.float32).astype(np.float64)
    if rules.truncate:
        boxes[:, :4] = np.trunc(boxes[:, :4])
    return boxes


def crop(pixels, box, side, rules):
    """pad.m and the loop after it: what lies under a box, black beyond the image, resized to side × side."""
    left, top, right, bottom = (math.trunc(value) for value in box[:4])
    height, width = pixels.shape[:2]
    square = np.zeros((bottom - top + 1, right - left + 1, 3))
    for row in range(max(top, 1), min(bottom, height) + 1):
        first, last = max(left, 1), min(right, width)
        if last >= first:
            square[row - top, first - left : last - left + 1] = pixels[row - 1, first - 1 : last]
    return resize(square, side, side, rules)


def resize(pixels, height, width, rules):
    weights = by_area if rules.exact_area else by_blocks
    down, across = weights(pixels.shape[0], height), weights(pixels.shape[1], width)
    return np.einsum("ih,hwc,jw->ijc", down, pixels, across, optimize=True)


def by_area(length, count):
    """count × length weights: the share of each pixel in an output pixel's area, or linear between two centres."""
    weights = np.zeros((count, length))
    span = length / count
    for k in range(count):
        if span > 1:
            begin, end = k * span, (k + 1) * span
            for pixel in range(int(begin), min(length, math.ceil(end))):
                weights[k, pixel] = max(0, min(end, pixel + 1) - max(begin, pixel)) / span
        else:
            centre = min(max((k + 0.5) * span - 0.5, 0), length - 1)
            low = min(int(centre), max(0, length - 2))
            weights[k, low] += 1 - (centre - low)
            if length > 1:
                weights[k, low + 1] += centre - low
    return weights


def by_blocks(length, count):
    """count × length weights: the mean of pixels ⌊k·length/count⌋ to ⌈(k+1)·length/count⌉ − 1."""
    weights = np.zeros((count, length))
    for k in range(count):
        first, end = k * length // count, -(-(k + 1) * length // count)
        weights[k, first:end] = 1 / (end - first)
    return weights


def run(network, crops):
    """A network on N×h×w×3 pixel values: its outputs as float64."""
    values = (np.asarray(crops) - 127.5) * 0.0078125
    with torch.inference_mode():
        out = network(torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)))
    return [value.numpy().astype(np.float64) for value in out]
