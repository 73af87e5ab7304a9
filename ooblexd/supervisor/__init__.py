"""Keeps one OS process a stage alive, and owns the memory they share.

`states` is a worker's life as a table, `restart` how long a replacement waits; both are
pure. `worker` forks, signals and reaps one process, `rings` makes the memory of a
stream, `topology` says who works for whom, and `supervisor` is the loop that waits,
steps the table and performs its actions.
"""
