"""Scanning: the findings in the source of a project, and how they are told and kept."""
