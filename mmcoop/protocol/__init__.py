"""The paper's experiments: sweeps, reports, baselines, checkpoints.

Above models, data sets, engine and evaluation, which it uses and which know
nothing of it; below tools, which only read a command line and call it.
"""
