<?php
// Sets osTicket's login at Authentik, its agents and its administrator's password. Looks first.
$given = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
// osTicket takes a form's values for what was typed only within a POST.
$_SERVER['REQUEST_METHOD'] = 'POST';
chdir($given['app']);
require 'bootstrap.php';
Bootstrap::loadConfig();
Bootstrap::defineTables(TABLE_PREFIX);
Bootstrap::loadCode();
Bootstrap::connect();
$ost = osTicket::start();
$cfg = $ost ? $ost->getConfig() : null;
if (!$cfg) {
    fail('osTicket does not start');
}
require_once INCLUDE_DIR . 'class.plugin.php';
$done = [];

function fail(string $why): never
{
    fwrite(STDERR, "$why\n");
    exit(1);
}

/** The plugin, put on osTicket's list and switched on. */
function plugin(array &$done): Plugin
{
    $path = 'plugins/auth-oauth2';
    $plugin = Plugin::objects()->filter(['install_path' => $path])->first();
    if (!$plugin) {
        $plugin = (new PluginManager())->install('auth-oauth2') ?: fail('the image has no plugin auth-oauth2');
        $done[] = 'the login plugin is installed';
    }
    if (!$plugin->isActive()) {
        $errors = [];
        $plugin->update(['isactive' => 1, 'notes' => ''], $errors) || fail('the login plugin stays off: ' . implode(' ', $errors));
        $done[] = 'the login plugin is on';
    }
    return $plugin->getImpl() ?: fail('the login plugin can not be loaded');
}

/** What the login has to be (`osTicket/osTicket-plugins:auth-oauth2/config.php`). */
function login(array $given): array
{
    return [
        'auth_name' => 'Authentik',
        'auth_service' => 'Authentik',
        'auth_type' => 'auth',
        'auth_target' => 'all',
        'redirectUri' => "{$given['url']}/api/auth/oauth2",
        'clientId' => $given['client-id'],
        'clientSecret' => $given['client-secret'],
        'urlAuthorize' => $given['authorize'],
        'urlAccessToken' => $given['token'],
        'urlResourceOwnerDetails' => $given['userinfo'],
        // With blanks: a comma would be sent on as it stands.
        'scopes' => 'openid email profile',
        'attr_username' => 'email',
        'attr_email' => 'email',
        'attr_givenname' => 'given_name',
        'attr_surname' => 'family_name',
    ];
}

/** Where osTicket finds the login's settings; a choice is kept as {value: label}. */
function stored(PluginConfig $config, string $key): string
{
    $value = $config->get($key);
    return (string) (is_array($value) ? array_key_first($value) : $value);
}

function set_login(Plugin $plugin, array $given, array &$done): void
{
    $errors = [];
    $vars = login($given) + ['name' => 'Authentik', 'isactive' => 1, 'notes' => ''];
    foreach ($plugin->getInstances() as $instance) {
        if ($instance->getName() !== 'Authentik') {
            continue;
        }
        $config = $instance->getConfig();
        $differs = array_filter(array_keys(login($given)), fn ($key) => stored($config, $key) !== login($given)[$key]);
        if (!$differs && $instance->isEnabled()) {
            return;
        }
        $instance->update($vars, $errors) || fail('the login is refused: ' . implode(' ', $errors));
        $done[] = 'the login is changed: ' . (implode(', ', $differs) ?: 'it was off');
        return;
    }
    if (!$plugin->addInstance($vars, $errors) || $errors) {
        fail('the login is refused: ' . implode(' ', $errors + $plugin->getConfigForm($vars)->errors()));
    }
    $done[] = 'the login at Authentik is made';
}

/** Switches the login off, where there is one: nobody logs in at Authentik. */
function unset_login(array &$done): void
{
    $plugin = Plugin::objects()->filter(['install_path' => 'plugins/auth-oauth2'])->first();
    if ($plugin && $plugin->isActive()) {
        $errors = [];
        $plugin->update(['isactive' => 0, 'notes' => ''], $errors) || fail('the login plugin stays on: ' . implode(' ', $errors));
        $done[] = 'the login plugin is off';
    }
}

/** Makes an agent: only who is one already is let in by the login. */
function add_agent(string $email, string $name): void
{
    global $cfg;
    [$first, $last] = explode(' ', $name, 2) + [1 => ''];
    $role = Role::objects()->order_by('id')->first();
    $staff = Staff::create([
        'isactive' => 1,
        'isadmin' => 0,
        'isvisible' => 1,
        'dept_id' => $cfg->getDefaultDeptId(),
        'role_id' => $role->getId(),
        'email' => $email,
        'username' => $email,
        'firstname' => $first,
        'lastname' => $last,
        // Nobody knows it: the way in is the login.
        'passwd' => Passwd::hash(bin2hex(random_bytes(32))),
    ]);
    $staff->updatePerms([User::PERM_CREATE, User::PERM_EDIT, User::PERM_DIRECTORY]);
    $staff->save() || fail("agent $email is refused");
    foreach (Dept::objects()->exclude(['id' => $cfg->getDefaultDeptId()])->values_flat('id') as [$department]) {
        $staff->dept_access->add(new StaffDeptAccess(['dept_id' => $department, 'role_id' => $role->getId()]));
    }
    $staff->dept_access->saveAll();
}

$admin = Staff::lookup(['username' => $given['admin']]) ?: fail("osTicket has no agent {$given['admin']}: make one that is an administrator");
if (!$admin->check_passwd($given['admin-password'], false)) {
    $admin->passwd = Passwd::hash($given['admin-password']);
    $admin->change_passwd = 0;
    $admin->save() || fail("the password of {$given['admin']} is refused");
    $done[] = "the password of {$given['admin']} is set";
}
if ($cfg->getUrl() !== "{$given['url']}/") {
    $cfg->set('helpdesk_url', "{$given['url']}/");
    $done[] = "the address is {$given['url']}";
}
if (isset($given['client-id'])) {
    set_login(plugin($done), $given, $done);
} else {
    unset_login($done);
}
foreach ($given['agents'] as $email => $name) {
    if (!Staff::lookup(['email' => $email])) {
        add_agent($email, $name);
        $done[] = "agent $email is made";
    }
}
echo "\n", json_encode(['done' => $done]), "\n";
