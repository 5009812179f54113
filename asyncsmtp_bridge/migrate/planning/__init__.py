"""Planning: which edits make a project await its mail, and what is left."""
