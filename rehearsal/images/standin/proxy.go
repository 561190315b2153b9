package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

const (
	serviceHeader     = "X-Rehearsal-Service"     // from the edge: where the request goes
	pingHeader        = "X-Rehearsal-Ping"        // from the edge: is anybody there?
	unreachableHeader = "X-Rehearsal-Unreachable" // to the edge: why there is no answer of the service
	reachLimit        = 3 * time.Second           // the real one waits 30 s; a rehearsal shows the fault sooner
)

// proxy passes a request of the edge on to the service that the edge names.
func (t *tunnel) proxy() http.Handler {
	reverse := &httputil.ReverseProxy{
		Rewrite:       sendToService,
		FlushInterval: -1, // an answer that comes in pieces is shown in pieces
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: reachLimit}).DialContext,
			DisableCompression:  true, // the visitor's own wishes go through
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     30 * time.Second,
		},
		ModifyResponse: func(response *http.Response) error {
			response.Header.Del(unreachableHeader)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, request *http.Request, err error) {
			if errors.Is(err, context.Canceled) {
				return // the visitor has gone
			}
			log.Printf("unable to reach the service %s: %v", request.URL.Host, err)
			w.Header().Set(unreachableHeader, err.Error())
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Header.Get(pingHeader) != "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		t.requests.Add(1)
		target, err := url.Parse(request.Header.Get(serviceHeader))
		if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
			w.Header().Set(unreachableHeader, "the ingress rule's service must be an http:// or https:// address")
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		reverse.ServeHTTP(w, request)
	})
}

// sendToService keeps host, path, query and the edge's X-Forwarded headers as they came.
func sendToService(request *httputil.ProxyRequest) {
	target, _ := url.Parse(request.In.Header.Get(serviceHeader)) // checked before
	out := request.Out
	out.URL.Scheme, out.URL.Host = target.Scheme, target.Host
	out.URL.RawQuery = request.In.URL.RawQuery
	out.Host = request.In.Host
	for name, values := range request.In.Header {
		switch name {
		case "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host":
			out.Header[name] = values
		}
	}
	out.Header.Del(serviceHeader)
}
