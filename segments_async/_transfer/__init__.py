"""Files to and from storage hosts."""
