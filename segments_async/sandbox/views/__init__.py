"""API endpoints: functions from a request to a response, one module per resource."""
