package openapi

import _ "embed"

// AIYAML is the contract of the AI module as it stands in ai.yaml: what the
// server asks of that module when it drives the work itself. Callers must not
// change it.
//
//go:embed ai.yaml
var AIYAML []byte
