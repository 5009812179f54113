"""Analysis: what the source of a project defines, what its expressions come to, and which calls block."""
