"""What things are: cases, exhibits, media time, tracks, redactions, steps, audit events.

Pure values and rules. Standard library and numpy types only: no I/O, no clock, no randomness.
"""
