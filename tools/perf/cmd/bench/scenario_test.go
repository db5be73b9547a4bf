package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A scenario that asks for a path or a parameter which the contract lost would
// be noticed when somebody measures, which is too late.
func TestScenariosKeepToTheContract(t *testing.T) {
	contract, err := os.ReadFile("../../../../openapi/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var known []*regexp.Regexp
	for _, m := range regexp.MustCompile(`(?m)^  (/\S*):$`).FindAllStringSubmatch(string(contract), -1) {
		known = append(known, regexp.MustCompile("^"+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(m[1], `[^/]+`)+"$"))
	}
	files, err := filepath.Glob("../../scenarios/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Requests []struct{ Name, Path string }
		}
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, r := range s.Requests {
			path, query, _ := strings.Cut(r.Path, "?")
			matches := 0
			for _, k := range known {
				if k.MatchString(path) {
					matches++
				}
			}
			if matches == 0 {
				t.Errorf("%s: %s asks for %s, which is not in the contract", file, r.Name, path)
			}
			for _, pair := range strings.Split(query, "&") {
				if name, _, _ := strings.Cut(pair, "="); name != "" && !strings.Contains(string(contract), "name: "+name+"\n") {
					t.Errorf("%s: %s has the parameter %s, which is not in the contract", file, r.Name, name)
				}
			}
		}
	}
}
