"""Live JPEG frames: checked by their bounds, kept one a room, handed to whoever looks. No database, no decoding."""
