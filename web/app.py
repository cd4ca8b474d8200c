"""The web server, built once."""
