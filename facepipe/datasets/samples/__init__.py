"""Training images: folders, lists, RecordIO, shards."""
