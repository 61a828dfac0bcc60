"""How fast Stagedoor is, each figure beside a rival or a limit measured in the same run."""
