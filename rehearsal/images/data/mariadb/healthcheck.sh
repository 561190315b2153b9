#!/bin/sh
# Whether the server takes connections: over the network, where one that is being prepared does not listen yet.
exec mariadb-admin --protocol=TCP --host=127.0.0.1 --user=nobody --connect-timeout=2 ping
