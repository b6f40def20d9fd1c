"""Protocol rules without I/O: values in, values out. Nothing here knows a clock, a socket or a loop."""
