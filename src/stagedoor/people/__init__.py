"""People: users, their roles in organisations, how they sign in, their sessions and the links that set passwords.

It knows organisations and no API: what a role may do is in `access/roles.py`. Begin with `nouns.py`.
"""
