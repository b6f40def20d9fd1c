"""
Measurements anyone can repeat: ``python -m benchmarks`` (extra ``test``).

Each figure comes from a process of its own that puts labels to a bare server in another process, over loopback;
rivals take turns, and ratios are between medians of one run. Absolute figures are this machine's business.
"""
