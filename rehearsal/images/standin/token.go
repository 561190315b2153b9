package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A token is what Cloudflare's is: base64 of a small JSON document. Its edge address is there in a rehearsal alone.
type token struct {
	raw  string
	Edge string `json:"e"`
}

// readToken takes the token from its flag or variable, which win, or from the file.
func readToken(value, file string) (token, error) {
	if value == "" && file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return token{}, fmt.Errorf("the token file cannot be read: %w", err)
		}
		value = string(content)
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return token{}, errors.New("no token: set TUNNEL_TOKEN_FILE or TUNNEL_TOKEN")
	}
	found := token{raw: value}
	document, err := base64.StdEncoding.DecodeString(value)
	if err != nil || json.Unmarshal(document, &found) != nil {
		return token{}, errors.New("the tunnel token is not valid: it must be base64 of a JSON document")
	}
	if found.Edge == "" {
		return token{}, errors.New("the tunnel token names no edge to dial: is it one of the rehearsal?")
	}
	return found, nil
}
