"""The services of one instance: an entry for each says how it is made and closed; routes, jobs and the start get them.

It knows every feature and no web framework. Begin with `services.py`.
"""
