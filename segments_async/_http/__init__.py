"""How a call travels: sessions, connections, and the gate that every request waits at."""
