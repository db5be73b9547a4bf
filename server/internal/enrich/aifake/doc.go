// Package aifake is an AI module for tests, made of the stub that is generated
// from openapi/ai.yaml. It does what it is told to: answer after a while, hand
// out jobs, refuse, fail, break off, hang, disappear, and answer what breaks
// the contract. What it does of its own accord is held to the contract, and so
// are the requests that it gets: a breach fails the test.
package aifake
