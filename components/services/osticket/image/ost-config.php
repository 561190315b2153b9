<?php
// osTicket's configuration, the same in every container: what differs is environment, what is secret is a private file.
if (!defined('ROOT_PATH') || !strcasecmp(basename($_SERVER['SCRIPT_NAME']), basename(__FILE__))) {
    die('kwaheri rafiki!');
}

$secret = static fn (string $name): string => trim((string) file_get_contents("/run/secrets/$name"));

// The container installs an empty database before it answers anybody.
define('OSTINSTALLED', true);
define('SECRET_SALT', $secret('salt'));
define('ADMIN_EMAIL', getenv('OSTICKET_ADMIN_EMAIL'));
define('DBTYPE', 'mysql');
define('DBHOST', getenv('OSTICKET_DATABASE_HOST'));
define('DBNAME', getenv('OSTICKET_DATABASE'));
define('DBUSER', getenv('OSTICKET_DATABASE'));
define('DBPASS', $secret('database-password'));
define('TABLE_PREFIX', 'ost_');
// Where Docker lays its networks: there the connector stands, which is believed where a visitor came from.
define('TRUSTED_PROXIES', '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16');
define('LOCAL_NETWORKS', '127.0.0.0/24');
