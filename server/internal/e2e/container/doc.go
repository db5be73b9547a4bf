// Package container tests the image and compose.yaml as an operator meets them:
// it runs them with Docker and talks to them through the generated client. Its
// tests have the build tag container; `make test-container` prepares what they
// need and runs them.
package container
