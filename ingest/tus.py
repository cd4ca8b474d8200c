"""The tus 1.0 protocol."""
