package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idleWanted    = 4 // as cloudflared: four connections to the edge
	dialLimit     = 2 * time.Second
	handshakeWait = 5 * time.Second
	firstPause    = 100 * time.Millisecond
	longestPause  = time.Second
)

// A tunnel keeps four idle connections to the edge and serves HTTP on each: the edge is the client.
type tunnel struct {
	token    token
	name     string
	dialled  chan net.Conn
	requests atomic.Int64

	mutex  sync.Mutex
	states map[net.Conn]http.ConnState
	dials  int    // dials under way
	number int    // of the next connection
	fault  string // the last dial's, so that a lasting fault is logged once
}

func newTunnel(found token, name string) *tunnel {
	return &tunnel{token: found, name: name, dialled: make(chan net.Conn), states: map[net.Conn]http.ConnState{}}
}

// run dials and serves until the context ends.
func (t *tunnel) run(ctx context.Context) {
	log.Printf("connector %s dials %s", t.name, t.token.Edge)
	server := &http.Server{
		Handler:   t.proxy(),
		ConnState: func(conn net.Conn, state http.ConnState) { t.note(ctx, conn, state) },
	}
	t.topUp(ctx)
	server.Serve(&dialledListener{t.dialled})
}

// note keeps count of what each connection does: one that became busy, turned into a websocket or went away is made up for.
func (t *tunnel) note(ctx context.Context, conn net.Conn, state http.ConnState) {
	t.mutex.Lock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(t.states, conn)
	} else {
		t.states[conn] = state
	}
	t.mutex.Unlock()
	t.topUp(ctx)
}

// topUp starts as many dials as idle connections are missing.
func (t *tunnel) topUp(ctx context.Context) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	idle := t.dials
	for _, state := range t.states {
		if state == http.StateNew || state == http.StateIdle {
			idle++
		}
	}
	for ; idle < idleWanted; idle++ {
		t.dials++
		t.number++
		go t.dialUntilDone(ctx, t.number-1)
	}
}

// connections is how many the edge can use or is using.
func (t *tunnel) connections() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.states)
}

func (t *tunnel) dialUntilDone(ctx context.Context, number int) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		conn, err := t.dial(number)
		t.report(err)
		if err == nil {
			t.mutex.Lock()
			t.dials--
			t.states[conn] = http.StateNew
			t.mutex.Unlock()
			t.dialled <- conn
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// dial opens one connection and shows the token.
func (t *tunnel) dial(number int) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialLimit}).Dial("tcp", t.token.Edge)
	if err != nil {
		return nil, fmt.Errorf("the edge is away: %w", err)
	}
	conn.SetDeadline(time.Now().Add(handshakeWait))
	hello, _ := json.Marshal(map[string]any{"token": t.token.raw, "connector": t.name, "connection": number})
	reader := bufio.NewReader(conn)
	var line []byte
	if _, err = conn.Write(append(hello, '\n')); err == nil {
		line, err = reader.ReadBytes('\n')
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch {
	case err != nil:
		err = fmt.Errorf("the edge hung up: %w", err)
	case json.Unmarshal(line, &answer) != nil:
		err = fmt.Errorf("what answers at the edge's address is no edge")
	case !answer.OK:
		err = fmt.Errorf("the edge refused the token: %s", answer.Error)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return &readAheadConn{conn, reader}, nil
}

// report logs a change: that the line is up, or why it is not.
func (t *tunnel) report(err error) {
	fault := "none"
	if err != nil {
		fault = err.Error()
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if fault == t.fault {
		return
	}
	t.fault = fault
	if err == nil {
		log.Printf("connected to the edge at %s", t.token.Edge)
	} else {
		log.Printf("%s; trying again", fault)
	}
}

// A dialledListener hands connections that were dialled to a server, as if they had been accepted.
type dialledListener struct{ dialled chan net.Conn }

func (l *dialledListener) Accept() (net.Conn, error) { return <-l.dialled, nil }
func (l *dialledListener) Close() error              { return nil }
func (l *dialledListener) Addr() net.Addr            { return &net.TCPAddr{} }

// A readAheadConn reads on where the handshake's reader stopped.
type readAheadConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *readAheadConn) Read(into []byte) (int, error) { return c.reader.Read(into) }
