"""What reading a damaged Parquet file raises."""

import pyarrow as pa

DAMAGED_PARQUET = (OSError, ValueError, pa.ArrowException)
"""pyarrow's own errors, and ValueError: of text that is no UTF-8, of numbers that make no sense."""
