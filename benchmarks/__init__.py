"""
Reproducible benchmarks: ``python -m benchmarks`` (extra ``bench``).

The method gives meaningful results even on a busy machine:

- each run of each contestant is a separate process, and so is the server;
- the server does as little as possible, and its CPU time per request is printed, to show that it is not the bottleneck;
- each run warms up first, then measures CPU time of its process, wall time, latencies and peak memory;
- contestants alternate (A B A B), and a ratio is the median of the ratios of each turn, so that load from other
  processes affects both;
- every response is checked within the measured time, so a wrong response is never counted as a result.

Absolute figures depend on the machine; targets are therefore set for ratios.
"""
