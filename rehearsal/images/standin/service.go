package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// servicePart answers every path on the ports of STANDIN_PORTS (80 if unset, separated by commas) and says which
// service and host it is. Arguments are the real service's, and mean nothing here.
func servicePart(ctx context.Context, _ []string) int {
	name, ports := os.Getenv("STANDIN_NAME"), os.Getenv("STANDIN_PORTS")
	if name == "" {
		name = "without a name"
	}
	if ports == "" {
		ports = "80"
	}
	host, _ := os.Hostname()
	var addresses []string
	for _, port := range strings.Split(ports, ",") {
		addresses = append(addresses, ":"+strings.TrimSpace(port))
	}
	return serve(ctx, addresses, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "service %s on host %s\n", name, host)
	}))
}
