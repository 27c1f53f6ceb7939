"""What the commands of ``facepipe eval`` share: options, tables, benchmarks by name."""
