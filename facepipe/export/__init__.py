"""Exporting models: as ONNX files with their cards, and as a complete pipeline for a product."""

from facepipe.export.mtcnn import export_mtcnn
from facepipe.export.onnx import OnnxExport, export_onnx
from facepipe.export.pipeline import export_pipeline
from facepipe.graphs.stored import STORED_AS

__all__ = ["STORED_AS", "OnnxExport", "export_mtcnn", "export_onnx", "export_pipeline"]
