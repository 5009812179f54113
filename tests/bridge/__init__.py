"""What `bridge()` and `blocking()` make of other people's code."""
