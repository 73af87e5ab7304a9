"""Keeps one OS process a stage alive, and owns the memory they share.

`states` is a worker's life as a table, `restart` how long a replacement waits; both are
pure. `worker` forks, signals and reaps one process, `stream` makes the memory of one
stream, `streams` says who works for whom, `changes` changes them all or not at all,
`reload` knows which configuration runs, and `supervisor` is the loop that waits, steps
the table and performs its actions.
"""
