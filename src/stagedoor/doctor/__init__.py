"""What `stagedoor doctor` checks: a file per check, each of which ends in a finding with a next step."""
