// Package httpapi serves the HTTP API that openapi/openapi.yaml describes.
//
// It checks every request against the contract, finds out who acts and whether
// they may, translates between the contract's models and the domain's types,
// and turns every error into a problem document. It holds no business rules:
// handlers call the services that are given in Deps.
package httpapi
