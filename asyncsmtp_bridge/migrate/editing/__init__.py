"""Editing: edits made to the text of files, and to nothing else in them."""
