"""Lists of the service, page by page, and work done ahead."""
