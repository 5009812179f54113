"""Finding what blocks an event loop, while a program runs."""
