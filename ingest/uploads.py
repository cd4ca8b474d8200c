"""Staging the bytes of an upload."""
