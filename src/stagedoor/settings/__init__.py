"""The settings of an installation: composed of what the features declare; read from flags, environment and file."""
