<?php
// Closes the account that BookStack ships and lets Authentik's groups decide on roles. Looks first.
// Given: email and password of our administrator, and per role the groups whose members get it.
declare(strict_types=1);

use BookStack\Users\Models\Role;
use BookStack\Users\Models\User;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;

$given = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
chdir($given['app']);
require 'vendor/autoload.php';
(require 'bootstrap/app.php')->make(Kernel::class)->bootstrap();

if (DB::selectOne('SELECT @@GLOBAL.read_only AS closed')->closed) {
    // It follows another host's database, whose wiki has its own step.
    echo json_encode(['done' => ['nothing: this database takes no writes, what the primary has arrives']]), "\n";
    exit(0);
}

$done = [];
$find = fn (string $email): ?User => User::query()->where('email', '=', $email)->first();

$shipped = $find('admin@admin.com');
$open = $shipped !== null && Hash::check('password', $shipped->password);
$admin = $find($given['email']);
if ($admin === null && $open) {
    $admin = $shipped;
    $admin->email = $given['email'];
    $admin->password = Hash::make($given['password']);
    $admin->save();
    $done[] = "the account that BookStack ships is now {$given['email']}";
} elseif ($admin === null) {
    $options = ['--email' => $given['email'], '--name' => 'Administrator', '--password' => $given['password']];
    if (Artisan::call('bookstack:create-admin', $options) !== 0) {
        fwrite(STDERR, trim(Artisan::output()) . "\n");
        exit(1);
    }
    $admin = $find($given['email']);
    $done[] = "administrator {$given['email']} is made";
}
if ($open && $shipped->id !== $admin->id) {
    $shipped->password = Hash::make(bin2hex(random_bytes(32)));
    $shipped->save();
    $done[] = 'the shipped password of admin@admin.com is void';
}
if (!Hash::check($given['password'], $admin->password)) {
    $admin->password = Hash::make($given['password']);
    $admin->save();
    $done[] = "the password of {$given['email']} is set";
}
if (!$admin->hasSystemRole('admin')) {
    $admin->roles()->attach(Role::getSystemRole('admin')->id);
    $done[] = "{$given['email']} is an administrator";
}

foreach ($given['roles'] as $name => $groups) {
    $role = $name === 'Admin' ? Role::getSystemRole('admin') : Role::getRole($name);
    if ($role === null) {
        fwrite(STDERR, "there is no role $name: make one in the wiki's settings\n");
        exit(1);
    }
    if ((string) $role->external_auth_id !== $groups) {
        $role->external_auth_id = $groups;
        $role->save();
        $done[] = "role $name goes to $groups";
    }
}

echo json_encode(['done' => $done]), "\n";
