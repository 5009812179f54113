"""A typed face for a wrapper: the source of an `AsyncBridge` with a line for each of its methods."""
