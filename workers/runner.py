"""The frame around every step: claim, run, record, ring the next."""
