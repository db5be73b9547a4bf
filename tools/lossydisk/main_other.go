//go:build !linux

// Command lossydisk needs Linux; see main.go.
package main

import "log"

func main() { log.Fatal("lossydisk needs Linux") }
