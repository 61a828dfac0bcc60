"""The one place that knows every part: it makes them, starts them in order and stops them in reverse."""
