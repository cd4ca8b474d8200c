"""Ring again for what the bell forgot."""
