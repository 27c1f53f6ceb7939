"""Labelled images to train on: folders, lists, RecordIO, shards."""
