"""Wrappers as organisations have them."""
