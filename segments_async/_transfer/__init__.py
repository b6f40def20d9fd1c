"""Upload files to storage and download them: streaming, resuming, signed URLs, and files on disk."""
