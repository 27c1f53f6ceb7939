"""Shared by the commands of ``facepipe eval``: options, tables, benchmarks by name."""
