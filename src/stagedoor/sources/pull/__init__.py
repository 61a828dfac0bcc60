"""Pulled URLs: cameras and files that Stagedoor connects to, each by one node at a time.

What a server of HTTP answers with pictures is a camera of its room, here (`camera.py`); all else is read in
`streams/media/child/url_input.py`. This folder decides what is pulled, where and when, and stands above other sources.
Begin with `runner.py`.
"""
