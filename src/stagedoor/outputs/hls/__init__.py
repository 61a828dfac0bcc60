"""HLS of rooms: windows of segments and parts, their playlists, and who watches."""
