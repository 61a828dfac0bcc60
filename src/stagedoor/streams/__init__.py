"""The senders of rooms, and their frames: the newest frame of each room is passed to every viewer."""
