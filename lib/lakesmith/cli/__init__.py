"""The command line: thin commands over the packages below."""

import os

# Pydantic asks every installed package for plugins, a twentieth of a second of each command. Who has one sets the variable.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
