"""Assets: files in the service's own storage."""
