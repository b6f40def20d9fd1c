"""Files in the service's own storage."""
