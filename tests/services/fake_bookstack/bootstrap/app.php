<?php
return new class {
    public function make(string $class): object
    {
        return new $class();
    }
};
