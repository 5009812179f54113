"""What `asyncsmtp-bridge scan` understands of Python: a specification, in small programs."""
