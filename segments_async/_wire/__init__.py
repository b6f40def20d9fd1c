"""The rules of the protocol as pure functions and state machines: no I/O, no clock, no event loop."""
