"""The HTTP edge: parse, call one verb, render. Only this folder, `pages` and `app` know the web framework."""

from stagedoor.api import slashes

slashes.install()  # before any route is made
