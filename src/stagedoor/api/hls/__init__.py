"""HLS on the wire: playlists, and the media that they name."""
