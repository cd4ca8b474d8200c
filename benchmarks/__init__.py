"""How fast exhibit is against what people do today, and what it leaves open: measured from outside.

Speed (`make bench`):
- controls, each a small script of its own: plain, naive, deface_control, predict
- loop: a clip of any length from a short one; measure, account: one run with all that it starts
- contest: commands in turns, and the arithmetic; stages: where the time of a redaction goes
- machine: what it ran on; report: docs/performance.md

Quality (`make quality`): quality, quality_page, stills.
"""
