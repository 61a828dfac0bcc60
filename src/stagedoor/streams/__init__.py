"""Who sends to which room now, and the frames on their way: the newest of each room, handed to every viewer."""
