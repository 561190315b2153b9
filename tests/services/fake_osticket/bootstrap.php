<?php
// Plays the few classes of osTicket that the step uses, as its real ones answer; its database is the file $FAKE_OSTICKET.
define('INCLUDE_DIR', __DIR__ . '/include/');
define('TABLE_PREFIX', 'ost_');

/** The database: read and written whole, so that a broken run leaves what it had written. */
function database(?callable $change = null): array
{
    $all = json_decode(file_get_contents(getenv('FAKE_OSTICKET')), true);
    if ($change !== null) {
        $change($all);
        $all['writes'] += 1;
        file_put_contents(getenv('FAKE_OSTICKET'), json_encode($all));
    }
    return $all;
}

class Bootstrap
{
    public static function loadConfig(): void
    {
    }

    public static function defineTables(string $prefix): void
    {
    }

    public static function loadCode(): void
    {
    }

    public static function connect(): void
    {
        if (getenv('FAKE_REFUSAL')) {
            fwrite(STDERR, getenv('FAKE_REFUSAL') . "\n");
            exit(1);
        }
    }
}

class osTicket
{
    public static function start(): self
    {
        return new self();
    }

    public function getConfig(): OsticketConfig
    {
        return new OsticketConfig();
    }
}

class OsticketConfig
{
    public function getUrl(): string
    {
        return database()['url'];
    }

    public function set(string $key, string $value): void
    {
        assert($key === 'helpdesk_url');
        database(fn (array &$all) => $all['url'] = $value);
    }

    public function getDefaultDeptId(): int
    {
        return 1;
    }
}

class PluginManager
{
    public function install(string $name): Plugin
    {
        database(fn (array &$all) => $all['plugin'] = ['path' => "plugins/$name", 'active' => 0, 'instances' => []]);
        return new Plugin();
    }
}

class Found
{
    public function __construct(private array $found)
    {
    }

    public function filter(array $conditions): self
    {
        return $this;
    }

    public function exclude(array $conditions): self
    {
        return $this;
    }

    public function order_by(string $key): self
    {
        return $this;
    }

    public function values_flat(string $key): array
    {
        return $this->found;
    }

    public function first(): ?object
    {
        return $this->found[0] ?? null;
    }
}

class Plugin
{
    public static function objects(): Found
    {
        return new Found(database()['plugin'] ? [new self()] : []);
    }

    public function getImpl(): self
    {
        return $this;
    }

    public function isActive(): bool
    {
        return (bool) database()['plugin']['active'];
    }

    public function update(array $vars, array &$errors): bool
    {
        database(fn (array &$all) => $all['plugin']['active'] = $vars['isactive']);
        return true;
    }

    public function getInstances(): array
    {
        return array_map(fn (int $id) => new PluginInstance($id), array_keys(database()['plugin']['instances']));
    }

    public function addInstance(array $vars, array &$errors): PluginInstance
    {
        assert($_SERVER['REQUEST_METHOD'] === 'POST');
        database(fn (array &$all) => $all['plugin']['instances'][] = $vars);
        return new PluginInstance(count(database()['plugin']['instances']) - 1);
    }
}

class PluginInstance
{
    public function __construct(private int $id)
    {
    }

    public function getName(): string
    {
        return database()['plugin']['instances'][$this->id]['name'];
    }

    public function isEnabled(): bool
    {
        return (bool) database()['plugin']['instances'][$this->id]['isactive'];
    }

    public function getConfig(): PluginConfig
    {
        return new PluginConfig(database()['plugin']['instances'][$this->id]);
    }

    public function update(array $vars, array &$errors): bool
    {
        database(fn (array &$all) => $all['plugin']['instances'][$this->id] = $vars);
        return true;
    }
}

class PluginConfig
{
    public function __construct(private array $values)
    {
    }

    /** A choice comes back as {value: label}. */
    public function get(string $key): string|array
    {
        $value = $this->values[$key] ?? '';
        return in_array($key, ['auth_type', 'auth_target'], true) ? [$value => "label of $value"] : $value;
    }
}

class Passwd
{
    public static function hash(string $password): string
    {
        return "hash of $password";
    }
}

#[\AllowDynamicProperties]
class Staff
{
    public Access $dept_access;

    private function __construct(array $values)
    {
        foreach ($values as $key => $value) {
            $this->$key = $value;
        }
        $this->dept_access = new Access();
    }

    public static function lookup(array $conditions): ?self
    {
        foreach (database()['staff'] as $row) {
            if (array_intersect_assoc($conditions, $row) === $conditions) {
                return new self($row);
            }
        }
        return null;
    }

    public static function create(array $values): self
    {
        return new self($values);
    }

    public function check_passwd(string $password, bool $rehash): bool
    {
        return $this->passwd === Passwd::hash($password);
    }

    public function updatePerms(array $permissions): void
    {
        $this->permissions = $permissions;
    }

    public function save(): bool
    {
        $row = array_diff_key(get_object_vars($this), ['dept_access' => 1]);
        database(fn (array &$all) => $all['staff'][$row['username']] = $row);
        return true;
    }
}

class Access
{
    public function add(StaffDeptAccess $access): void
    {
    }

    public function saveAll(): void
    {
    }
}

class StaffDeptAccess
{
    public function __construct(array $values)
    {
    }
}

class Role
{
    public static function objects(): Found
    {
        return new Found([new self()]);
    }

    public function getId(): int
    {
        return 1;
    }
}

class Dept
{
    public static function objects(): Found
    {
        return new Found([[2], [3]]);
    }
}

class User
{
    public const PERM_CREATE = 'user.create';
    public const PERM_EDIT = 'user.edit';
    public const PERM_DIRECTORY = 'user.dir';
}
