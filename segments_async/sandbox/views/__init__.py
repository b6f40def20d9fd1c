"""What each endpoint does: a function from a request to a response, one file for each resource."""
