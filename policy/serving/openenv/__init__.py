"""Scenes over the wire, for clients of OpenEnv: `scripts/serve.py`.

client -> server, its sessions -> environment -> one simulator thread each
"""
