package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// unreadable names what this process may not read below a folder. An image of a stand-in holds next to nothing, so
// that these are the files which were put into the container; mounts are left alone.
func unreadable(root string) []string {
	var found []string
	device := deviceOf(root)
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			found = append(found, path)
			return fs.SkipDir
		case entry.IsDir() && deviceOf(path) != device:
			return fs.SkipDir
		case !readable(path):
			found = append(found, path)
		}
		return nil
	})
	return found
}

// readable holds for what is no plain file too: the entry of a folder tells nothing of what is mounted over it.
func readable(path string) bool {
	if facts, err := os.Stat(path); err == nil && !facts.Mode().IsRegular() {
		return true
	}
	file, err := os.Open(path)
	if err == nil {
		file.Close()
	}
	return err == nil
}

func deviceOf(path string) uint64 {
	var facts syscall.Stat_t
	if syscall.Lstat(path, &facts) != nil {
		return 0
	}
	return uint64(facts.Dev)
}

// catPart prints files.
func catPart(_ context.Context, args []string) int {
	for _, path := range args {
		file, err := os.Open(path)
		if err == nil {
			_, err = io.Copy(os.Stdout, file)
			file.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "cat:", err)
			return 1
		}
	}
	return 0
}
