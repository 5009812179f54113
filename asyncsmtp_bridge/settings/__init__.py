"""Settings: how to reach a server, checked when they are made, and the sessions that are opened by them.

`SMTPSettings` is a frozen value: comparable, to be made from a URL, the environment, or what a Django or Flask project
has already. Nothing that it shows, and nothing that is raised here, has a secret in it.
"""

from .checking import InvalidSettings
from .fields import SMTPSettings

__all__ = ["InvalidSettings", "SMTPSettings"]
