package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
)

// servicePart answers every path on the ports of STANDIN_PORTS (80 if unset, separated by commas) and says which
// service and host it is. Arguments are the real service's, and mean nothing here. It does not start where it may not
// read a file that was put into the container for it.
func servicePart(ctx context.Context, _ []string) int {
	if isContainersOwn() {
		if closed := unreadable("/"); len(closed) > 0 {
			const text = "standin: user %d with groups %v may not read %s\n"
			fmt.Fprintf(os.Stderr, text, os.Getuid(), groups(), strings.Join(closed, ", "))
			return 1
		}
	}
	name := os.Getenv("STANDIN_NAME")
	if name == "" {
		name = "without a name"
	}
	host, _ := os.Hostname()
	var addresses []string
	for _, port := range ports() {
		addresses = append(addresses, ":"+port)
	}
	return serve(ctx, addresses, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick() {
			http.Error(w, "sick: a drill said so", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "service %s on host %s\n", name, host)
	}))
}

// sick tells whether a drill wrote so into a file of this container: the program runs on, and answers nobody well.
func sick() bool {
	said, err := os.ReadFile("/sick")
	return err == nil && strings.TrimSpace(string(said)) == "sick"
}

// ports are the service's, the first that of its visitors.
func ports() []string {
	given := os.Getenv("STANDIN_PORTS")
	if given == "" {
		given = "80"
	}
	return strings.Split(strings.ReplaceAll(given, " ", ""), ",")
}

func groups() []int {
	more, _ := os.Getgroups()
	return slices.Compact(append([]int{os.Getgid()}, more...))
}
