"""Video in, video out: the only home of FFmpeg (PyAV, and its program through ffmpeg-python)."""
