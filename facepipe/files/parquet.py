"""The exceptions raised by reading a damaged Parquet file."""

import pyarrow as pa

DAMAGED_PARQUET = (OSError, ValueError, pa.ArrowException)
"""pyarrow's own errors, and ValueError, for text that is not UTF-8 and for invalid numbers."""
