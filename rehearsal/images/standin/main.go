// Standin is one small program that stands where KiteStacks' services stand while it is rehearsed.
//
// It plays the part whose name it is called by (or that its first argument names): the tunnel connector, Node Exporter,
// any other service, the shell and the probes that health checks call. It needs nothing but itself in an image.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const self = "standin"

// A part runs until it is done or the context ends, and returns the exit status.
type part func(ctx context.Context, args []string) int

var parts map[string]part

func init() {
	parts = map[string]part{
		"bash":          shellPart,
		"cat":           catPart,
		"cloudflared":   connectorPart,
		"curl":          curlPart,
		"node_exporter": nodeExporterPart,
		"service":       servicePart,
		"sh":            shellPart,
		"wget":          wgetPart,
	}
}

func main() {
	// As process 1 of a container nothing ends us by default: SIGTERM has to be taken.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(play(ctx, os.Args))
}

// play runs a command line. A program of a real image that is no part of its own is the container's service where the
// container was started with it, and else a question about that service's health.
func play(ctx context.Context, command []string) int {
	name, args := filepath.Base(command[0]), command[1:]
	called := name != self
	if !called && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch run, known := parts[name]; {
	case known:
		return run(ctx, args)
	case !called:
		names := strings.Join(slices.Sorted(maps.Keys(parts)), ", ")
		fmt.Fprintf(os.Stderr, "standin: call it by, or with, one of: %s\n", names)
		return 2
	case isContainersOwn():
		return servicePart(ctx, args)
	}
	return checkPart(ctx, args)
}

// isContainersOwn says whether the container was started with this program, itself or under an init process.
func isContainersOwn() bool {
	return os.Getpid() == 1 || os.Getppid() == 1
}
