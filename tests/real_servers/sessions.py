"""The session classes under test, named in this one place.

They take the arguments and have the methods of smtplib's, so that with the line below in place of the import, the tests
that are not marked show what smtplib's own classes do:

    from smtplib import LMTP as PipelinedLMTP, SMTP as PipelinedSMTP, SMTP_SSL as PipelinedSMTP_SSL
"""

from __future__ import annotations

import smtplib

import pytest

from asyncsmtp_bridge import PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL

__all__ = ["PipelinedLMTP", "PipelinedSMTP", "PipelinedSMTP_SSL", "beyond_smtplib"]

beyond_smtplib = pytest.mark.skipif(
    PipelinedSMTP is smtplib.SMTP, reason="smtplib's own classes do not do this: it is PipelinedSMTP's to do"
)
