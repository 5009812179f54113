"""The scriptable SMTP server of `asyncsmtp_bridge.testing`."""
