// Standin is one small program that stands where KiteStacks' services stand while it is rehearsed.
//
// It plays the part whose name it is called by (or that its first argument names): the tunnel connector, Node Exporter,
// any other service, and the probes that health checks call. It needs nothing but itself in an image.
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

// A part runs until it is done or the context ends, and returns the exit status.
type part func(ctx context.Context, args []string) int

var parts = map[string]part{
	"cloudflared":   connectorPart,
	"node_exporter": nodeExporterPart,
	"service":       servicePart,
	"curl":          curlPart,
	"wget":          wgetPart,
}

func main() {
	// As process 1 of a container nothing ends us by default: SIGTERM has to be taken.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, known := parts[name]; !known && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, known := parts[name]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(parts)), ", ")
		fmt.Fprintf(os.Stderr, "standin: call it by, or with, one of: %s\n", names)
		os.Exit(2)
	}
	os.Exit(run(ctx, args))
}
