package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

const version = "kitestacks stand-in for cloudflared"

// connectorPart understands cloudflared's command lines `tunnel run`, `tunnel ready` and `version`, with the flags before or after each word.
func connectorPart(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("cloudflared", flag.ContinueOnError)
	metrics := flags.String("metrics", os.Getenv("TUNNEL_METRICS"), "address of the metrics server")
	tokenValue := flags.String("token", os.Getenv("TUNNEL_TOKEN"), "the tunnel's token")
	tokenFile := flags.String("token-file", os.Getenv("TUNNEL_TOKEN_FILE"), "a file that holds the token")
	flags.String("loglevel", "info", "means nothing here")
	flags.String("protocol", "auto", "means nothing here")
	flags.Bool("no-autoupdate", false, "means nothing here")
	command := ""
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return 2
		}
		if args = flags.Args(); len(args) > 0 {
			command += args[0] + " "
			args = args[1:]
		}
	}
	switch command {
	case "version ":
		fmt.Println(version)
		return 0
	case "tunnel ready ":
		return readyCheck(ctx, *metrics)
	case "tunnel run ":
		return runTunnel(ctx, *metrics, *tokenValue, *tokenFile)
	}
	fmt.Fprintf(os.Stderr, "cloudflared: %q is not known here; known are: tunnel run, tunnel ready, version\n", command)
	return 2
}

// readyCheck is the health check inside the container.
func readyCheck(ctx context.Context, metrics string) int {
	if metrics == "" {
		fmt.Fprintln(os.Stderr, "cloudflared: tunnel ready needs --metrics or TUNNEL_METRICS")
		return 1
	}
	status, err := probe(ctx, "http://"+metrics+"/ready", false)
	if err != nil || status != http.StatusOK {
		fmt.Fprintf(os.Stderr, "cloudflared: not ready (status %d, %v)\n", status, err)
		return 1
	}
	return 0
}

func runTunnel(ctx context.Context, metrics, tokenValue, tokenFile string) int {
	found, err := readToken(tokenValue, tokenFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloudflared:", err)
		return 1
	}
	if metrics == "" {
		metrics = "0.0.0.0:20241" // the real one's choice in a container
	}
	hostname, err := containerName()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloudflared:", err)
		return 1
	}
	log.SetFlags(log.LstdFlags | log.LUTC)
	line := newTunnel(found, hostname)
	go line.run(ctx)
	return serve(ctx, []string{metrics}, line.metrics())
}

// metrics answers what health checks and Prometheus ask.
func (t *tunnel) metrics() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		connections := t.connections()
		status := http.StatusOK
		if connections == 0 {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":%d,"readyConnections":%d,"connectorId":%q}`+"\n", status, connections, t.name)
	})
	mux.HandleFunc("/healthcheck", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK\n") })
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		fmt.Fprintf(w, "# TYPE cloudflared_tunnel_ha_connections gauge\ncloudflared_tunnel_ha_connections %d\n", t.connections())
		fmt.Fprintf(w, "# TYPE cloudflared_tunnel_total_requests counter\ncloudflared_tunnel_total_requests %d\n", t.requests.Load())
	})
	return mux
}

// containerName is the host name that Docker gave the container, in the environment and in the kernel.
func containerName() (string, error) {
	if name := os.Getenv("HOSTNAME"); name != "" {
		return name, nil
	}
	return os.Hostname()
}
