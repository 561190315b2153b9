package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// serve answers on all addresses until the context ends, or one of them cannot be had.
func serve(ctx context.Context, addresses []string, handler http.Handler) int {
	failed := make(chan error, len(addresses))
	for _, address := range addresses {
		server := &http.Server{Addr: address, Handler: handler}
		defer server.Close()
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case <-ctx.Done():
		return 0
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			return 0
		}
		fmt.Fprintln(os.Stderr, "standin:", err)
		return 1
	}
}
