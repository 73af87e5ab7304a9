"""Step 3b: what changes a frame, one `Effect` a module."""
