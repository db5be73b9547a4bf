// Package openapi holds the contract of the HTTP API, written by hand. Server
// stubs, models, clients and types are generated from it, requests are
// validated against it, and the server hands it out.
package openapi

import _ "embed"

// YAML is the contract as it stands in openapi.yaml. Callers must not change it.
//
//go:embed openapi.yaml
var YAML []byte
