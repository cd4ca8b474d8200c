"""People: pages, API, decisions."""
