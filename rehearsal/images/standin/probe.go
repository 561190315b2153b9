package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

const probeLimit = 10 * time.Second

var addressInText = regexp.MustCompile(`https?://[^\s'"]+`)

// checkPart asks what a health check of another language asks: the addresses that stand in its arguments, or where there
// are none the service's first port.
func checkPart(ctx context.Context, args []string) int {
	addresses := addressInText.FindAllString(strings.Join(args, "\n"), -1)
	if len(addresses) == 0 {
		addresses = []string{"http://127.0.0.1:" + ports()[0] + "/"}
	}
	for _, address := range addresses {
		status, err := probe(ctx, address, false)
		if err == nil && status >= 400 {
			err = fmt.Errorf("%s answered %d", address, status)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "check:", err)
			return 1
		}
	}
	return 0
}

// wgetPart knows `wget [-q] [--spider] [-O FILE|-] URL`; its status is 0 if the answer's is below 400.
// Without --spider the body goes to standard output if -O - says so, and is thrown away otherwise: nothing is ever written.
func wgetPart(ctx context.Context, args []string) int {
	url, body := "", false
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-O" && i+1 < len(args):
			i++
			body = args[i] == "-"
		case strings.HasPrefix(arg, "-O") || strings.HasPrefix(arg, "-qO"):
			target := arg[strings.Index(arg, "O")+1:]
			if target == "" && i+1 < len(args) {
				i++
				target = args[i]
			}
			body = target == "-"
		case !strings.HasPrefix(arg, "-"):
			url = arg
		}
	}
	status, err := probe(ctx, url, body)
	if err == nil && status >= 400 {
		err = fmt.Errorf("server answered %d", status)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wget:", err)
		return 1
	}
	return 0
}

// curlPart knows `curl [-f] [-s] [-S] [-o FILE] URL`; with -f its status is 22 if the answer's is 400 or above.
func curlPart(ctx context.Context, args []string) int {
	url, fail, body := "", false, true
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--fail":
			fail = true
		case arg == "--output" && i+1 < len(args):
			i++
			body = false
		case strings.HasPrefix(arg, "--"):
		case strings.HasPrefix(arg, "-"):
			fail = fail || strings.Contains(arg, "f")
			if strings.HasSuffix(arg, "o") && i+1 < len(args) {
				i++
				body = false
			}
		default:
			url = arg
		}
	}
	status, err := probe(ctx, url, body)
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		return 7
	}
	if fail && status >= 400 {
		fmt.Fprintf(os.Stderr, "curl: server answered %d\n", status)
		return 22
	}
	return 0
}

// probe gets the address and returns the answer's status.
func probe(ctx context.Context, url string, showBody bool) (int, error) {
	if url == "" {
		return 0, fmt.Errorf("no address given")
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	target := io.Discard
	if showBody {
		target = os.Stdout
	}
	_, err = io.Copy(target, response.Body)
	return response.StatusCode, err
}
