"""Send requests: sessions, connection pools, and the gate that limits concurrency and retries."""
