<?php
// Plays the few classes of BookStack that the first step uses; its database is the JSON file $FAKE_BOOKSTACK.
namespace {
    function rows(string $table): array
    {
        return json_decode(file_get_contents(getenv('FAKE_BOOKSTACK')), true)[$table];
    }

    function store(string $table, array $row): int
    {
        $all = json_decode(file_get_contents(getenv('FAKE_BOOKSTACK')), true);
        $row['id'] ??= count($all[$table]) + 1;
        $all[$table][$row['id'] - 1] = $row;
        $all['writes'] += 1;
        file_put_contents(getenv('FAKE_BOOKSTACK'), json_encode($all));
        return $row['id'];
    }
}

namespace Fake {
    #[\AllowDynamicProperties]
    abstract class Model
    {
        public function __construct(array $row)
        {
            foreach ($row as $key => $value) {
                $this->$key = $value;
            }
        }

        public static function query(): Query
        {
            return new Query(static::class);
        }

        public function save(): void
        {
            $this->id = store(static::TABLE, get_object_vars($this));
        }
    }

    class Query
    {
        private array $conditions = [];

        public function __construct(private string $model)
        {
        }

        public function where(string $key, string $is, string $value): self
        {
            $this->conditions[$key] = $value;
            return $this;
        }

        public function first(): ?Model
        {
            foreach (rows($this->model::TABLE) as $row) {
                if (array_intersect_assoc($this->conditions, $row) === $this->conditions) {
                    return new $this->model($row);
                }
            }
            return null;
        }
    }

    class Roles
    {
        public function __construct(private Model $user)
        {
        }

        public function attach(int $id): void
        {
            $this->user->role_ids[] = $id;
            $this->user->save();
        }
    }
}

namespace BookStack\Users\Models {
    class Role extends \Fake\Model
    {
        public const TABLE = 'roles';

        public static function getSystemRole(string $name): ?self
        {
            return self::query()->where('system_name', '=', $name)->first();
        }

        public static function getRole(string $name): ?self
        {
            return self::query()->where('display_name', '=', $name)->first();
        }
    }

    class User extends \Fake\Model
    {
        public const TABLE = 'users';

        public function hasSystemRole(string $name): bool
        {
            return in_array(Role::getSystemRole($name)->id, $this->role_ids, true);
        }

        public function roles(): \Fake\Roles
        {
            return new \Fake\Roles($this);
        }
    }
}

namespace Illuminate\Contracts\Console {
    class Kernel
    {
        public function bootstrap(): void
        {
        }
    }
}

namespace Illuminate\Support\Facades {
    class Hash
    {
        public static function make(string $text): string
        {
            return "hash of $text";
        }

        public static function check(string $text, string $hash): bool
        {
            return $hash === "hash of $text";
        }
    }

    class DB
    {
        public static function selectOne(string $query): object
        {
            return (object) ['closed' => (int) (getenv('FAKE_CLOSED') === '1')];
        }
    }

    class Artisan
    {
        private static string $said = '';

        public static function call(string $command, array $options): int
        {
            if (getenv('FAKE_REFUSAL')) {
                self::$said = getenv('FAKE_REFUSAL') . ' ' . $options['--password'];
                return 1;
            }
            store('users', [
                'email' => $options['--email'], 'name' => $options['--name'],
                'password' => Hash::make($options['--password']), 'role_ids' => [1],
            ]);
            return 0;
        }

        public static function output(): string
        {
            return self::$said;
        }
    }
}
