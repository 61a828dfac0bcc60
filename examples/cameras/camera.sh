#!/bin/sh
# A camera of Stagedoor for devices that can only do HTTP: a picture in each request. Needs curl and FFmpeg.
#
#   export CAMERA_FRAME_URL='https://stagedoor.example.com/ingest/frame?app=live&room=live-door' CAMERA_KEY=wsk_…
#   ./camera.sh -f v4l2 -i /dev/video0
#   ./camera.sh -re -f lavfi -i testsrc2=size=640x480:rate=10     # a test picture
set -eu
: "${CAMERA_FRAME_URL:?}" "${CAMERA_KEY:?}" "${CAMERA_FPS:=2}"

folder=$(mktemp -d)
umask 077
echo "Authorization: Bearer $CAMERA_KEY" >"$folder/header" # not an argument: those are seen by everybody on the machine

ffmpeg -nostdin -loglevel error "$@" -an -r "$CAMERA_FPS" -q:v 5 -f image2 -update 1 -atomic_writing 1 "$folder/new.jpg" &
ffmpeg=$!
trap 'kill $ffmpeg ${!:-} 2>/dev/null; wait; rm -rf "$folder"' EXIT
trap exit INT TERM

while kill -0 $ffmpeg 2>/dev/null; do
	# Taken away, so that each picture is sent once; while one is sent, FFmpeg writes over those that come.
	mv "$folder/new.jpg" "$folder/frame.jpg" 2>/dev/null || { sleep 0.05; continue; }
	answer=$(curl --silent --max-time 10 --output /dev/null --write-out '%{http_code} %header{retry-after}' \
		--header @"$folder/header" --header 'Content-Type: image/jpeg' --data-binary @"$folder/frame.jpg" \
		"$CAMERA_FRAME_URL") || true
	status=${answer%% *} wait=${answer#* }
	case $status in
	2*) continue ;;
	413) echo "the picture is too large" && continue ;;
	401 | 403 | 404) wait=600 ;; # somebody has to do something first
	*) wait=${wait:-5} ;;
	esac
	echo "answered $status; again in $wait s"
	sleep "$wait" & wait $!
done
