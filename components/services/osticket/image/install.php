<?php
// Installs osTicket into an empty database, or brings its tables to this release. Looks first; answers nobody.
// Run before the web server starts, so that the set-up page, which is open to the first visitor, is never served.
$_SERVER['HTTP_HOST'] = parse_url(getenv('OSTICKET_URL'), PHP_URL_HOST);
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = '/setup/install.php';
$_SERVER['HTTPS'] = 'on';
$_SERVER['SERVER_PORT'] = '443';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';

$setup = getenv('OSTICKET_SETUP') ?: '/opt/osticket/setup';
chdir($setup);
require $setup . '/setup.inc.php';
require INC_DIR . 'class.installer.php';
require INCLUDE_DIR . 'ost-config.php';

function fail(string $why): never
{
    fwrite(STDERR, "osTicket: $why\n");
    exit(1);
}

/** Of which release the tables are; null: nothing, or an installation that was cut short. */
function signature(mysqli $database): ?string
{
    $where = "WHERE namespace = 'core' AND `key` = 'schema_signature'";
    return question($database, 'SELECT value FROM ' . TABLE_PREFIX . "config $where");
}

/** The first value of an answer; null where the table or the row is missing. */
function question(mysqli $database, string $sql): ?string
{
    $answer = $database->query($sql);
    if (!$answer && $database->errno !== NO_SUCH_TABLE) {
        fail("its database says: {$database->error}");
    }
    return $answer ? ($answer->fetch_row()[0] ?? null) : null;
}

const NO_SUCH_TABLE = 1146;
mysqli_report(MYSQLI_REPORT_OFF);
$database = @new mysqli(DBHOST, DBUSER, DBPASS, DBNAME);
if ($database->connect_error) {
    fail("its database does not answer: {$database->connect_error}");
}
$is = signature($database);
$wanted = trim(file_get_contents(UPGRADE_DIR . 'streams/core.sig'));
if ($is !== null && $is !== $wanted) {
    passthru(escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg(ROOT_DIR . 'manage.php') . ' upgrade');
    // The command ends with 0 whatever happened; what it did shows in the database.
    $is = signature($database);
    $is === $wanted || fail("its tables are of $is and could not be brought to $wanted");
}
if ($is !== null) {
    echo "osTicket: its tables are there\n";
    exit(0);
}
if ((int) question($database, 'SELECT COUNT(*) FROM ' . TABLE_PREFIX . 'ticket') > 0) {
    fail('its database has tickets and does not say of which release: put a backup back');
}
// What an installation that was cut short has left is not usable, and holds no ticket.
foreach ($database->query("SHOW TABLES LIKE '" . TABLE_PREFIX . "%'")->fetch_all() as [$table]) {
    $database->query("DROP TABLE `$table`");
}
$database->close();

// The installer writes its findings into a copy that is thrown away: the image has its own configuration.
$sample = tempnam(sys_get_temp_dir(), 'ost');
copy(INCLUDE_DIR . 'ost-sampleconfig.php', $sample);
$password = trim((string) file_get_contents('/run/secrets/admin-password'));
$installer = new Installer($sample);
$done = $installer->install([
    'name' => getenv('OSTICKET_TITLE'),
    'email' => getenv('OSTICKET_EMAIL'),
    'fname' => 'Kite',
    'lname' => 'Administrator',
    'admin_email' => ADMIN_EMAIL,
    'username' => getenv('OSTICKET_ADMIN'),
    'passwd' => $password,
    'passwd2' => $password,
    'prefix' => TABLE_PREFIX,
    'dbhost' => DBHOST,
    'dbname' => DBNAME,
    'dbuser' => DBUSER,
    'dbpass' => DBPASS,
    'lang_id' => 'en_US',
    'timezone' => 'UTC',
]);
unlink($sample);
if (!$done) {
    fail('it could not be installed: ' . implode(' ', array_filter((array) $installer->getErrors())));
}
echo "osTicket: installed\n";
