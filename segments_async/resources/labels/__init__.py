"""Labels of samples."""
