"""Labels: what was found in samples."""
