"""
Measurements that anyone can repeat: ``python -m benchmarks`` (extra ``bench``).

How they are made, so that the figures mean something on a busy machine:

- every run of every contestant is a process of its own, and so is the server;
- the server does next to nothing, and its CPU per request is printed, so that one sees it is not what is measured;
- a run warms up first, then counts CPU seconds of its own process, wall time, each call's time and peak memory;
- contestants take turns (A B A B), and a ratio is the median of the ratios of each turn: what slows the machine down
  slows both;
- every answer is checked while the clock runs: a fast wrong answer is not a result.

Absolute figures are this machine's business; what is claimed, and held against a target, are ratios.
"""
