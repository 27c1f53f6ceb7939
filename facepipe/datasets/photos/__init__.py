"""Photos inside object stores, tar shards and Parquet files."""

from facepipe.datasets.photos.listing import list_collection, list_photos_by_root

__all__ = ["list_collection", "list_photos_by_root"]
