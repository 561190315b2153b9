package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

const listenFlag = "web.listen-address"

// nodeExporterPart serves a few of Node Exporter's metrics, true ones of this machine. Of its flags it knows
// --web.listen-address (may be given several times; :9100 without); it leaves the others alone.
func nodeExporterPart(ctx context.Context, args []string) int {
	var addresses []string
	for i, arg := range args {
		flag, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if flag != listenFlag {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		addresses = append(addresses, value)
	}
	if len(addresses) == 0 {
		addresses = []string{":9100"}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(nodeMetrics())
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `<!doctype html><title>Node Exporter</title><h1>Node Exporter</h1><a href="/metrics">Metrics</a>`)
	})
	return serve(ctx, addresses, mux)
}

// nodeMetrics leaves out what the machine does not tell.
func nodeMetrics() []byte {
	var out bytes.Buffer
	gauge := func(name, labels, value string) {
		fmt.Fprintf(&out, "# TYPE %s gauge\n%s%s %s\n", name, name, labels, value)
	}
	var uname syscall.Utsname
	if syscall.Uname(&uname) == nil {
		gauge("node_uname_info", fmt.Sprintf("{domainname=%q,machine=%q,nodename=%q,release=%q,sysname=%q,version=%q}",
			text(uname.Domainname[:]), text(uname.Machine[:]), text(uname.Nodename[:]), text(uname.Release[:]),
			text(uname.Sysname[:]), text(uname.Version[:])), "1")
	}
	gauge("node_time_seconds", "", fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000))
	if loads, err := os.ReadFile("/proc/loadavg"); err == nil {
		for i, name := range []string{"node_load1", "node_load5", "node_load15"} {
			gauge(name, "", strings.Fields(string(loads))[i])
		}
	}
	if memory, err := os.ReadFile("/proc/meminfo"); err == nil {
		lines := bufio.NewScanner(bytes.NewReader(memory))
		for lines.Scan() {
			var kibibytes uint64
			name, value, _ := strings.Cut(lines.Text(), ":")
			if _, err := fmt.Sscanf(value, "%d kB", &kibibytes); err == nil {
				name = strings.NewReplacer("(", "_", ")", "").Replace(name)
				gauge("node_memory_"+name+"_bytes", "", fmt.Sprint(kibibytes*1024))
			}
		}
	}
	return out.Bytes()
}

// text turns a field of the kernel's answer, signed or not by processor, into a string.
func text[T int8 | uint8](field []T) string {
	var out strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		out.WriteByte(byte(c))
	}
	return out.String()
}
