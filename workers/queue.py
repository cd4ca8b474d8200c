"""RQ, and the only file that imports it."""
