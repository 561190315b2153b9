"""What runs in the container `backup` and nowhere else: it needs Python, restic and docker's command, no other package.

It saves the services of one host into a restic repository on another host, brings them back, and proves that it can.
"""
