// Prepare logs in to a running service and writes the value lists of the
// scenarios. It prints what the scenarios take from the environment:
//
//	eval "$(KGL_ADMIN_PASSWORD=… bin/prepare -base http://127.0.0.1:8000 -dir lists)"
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peermesh/kgl-backend/tools/perf/internal/kglapi"
)

func main() {
	base := flag.String("base", "http://127.0.0.1:8000", "the service")
	email := flag.String("email", "admin@kgl.local", "account; its password is read from KGL_ADMIN_PASSWORD")
	dir := flag.String("dir", "lists", "folder to write the lists to")
	flag.Parse()
	if err := run(*base, *email, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}

func run(base, email, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	client, err := kglapi.Login(base, email, os.Getenv("KGL_ADMIN_PASSWORD"))
	if err != nil {
		return err
	}
	if err := client.Lists(dir); err != nil {
		return err
	}
	fmt.Printf("export TOKEN='%s' LISTS='%s'\n", client.Token(), dir)
	return nil
}
