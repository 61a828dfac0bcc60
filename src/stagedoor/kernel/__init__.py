"""What every other folder stands on: errors, ids, time, settings. It knows no domain."""
