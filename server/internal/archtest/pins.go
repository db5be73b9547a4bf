package archtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strings"
)

var (
	goLine      = regexp.MustCompile(`(?m)^go (\d+\.\d+(?:\.\d+)?)$`)
	replaceLine = regexp.MustCompile(`(?m)^replace\b|^\t.* => `)
	directPin   = regexp.MustCompile(`(?m)^(?:require |\t)(\S+) (v\S+)$`) // no "// indirect" behind it
	pseudo      = regexp.MustCompile(`-\d{14}-[0-9a-f]{12}$`)
)

// checkGoMod returns what is not pinned in a go.mod. A replace is allowed where
// the module stands beside the main one.
func checkGoMod(name, text string, replaceAllowed bool) []string {
	var faults []string
	if !goLine.MatchString(text) {
		faults = append(faults, name+": no go version")
	}
	if !replaceAllowed && replaceLine.MatchString(text) {
		faults = append(faults, name+": replace directives are not followed by the modules that import this one")
	}
	for _, match := range directPin.FindAllStringSubmatch(text, -1) {
		if pseudo.MatchString(match[2]) {
			faults = append(faults, fmt.Sprintf("%s: %s is pinned to a commit (%s), not to a release", name, match[1], match[2]))
		}
	}
	return faults
}

var exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// npmRegistry is the only host that a lockfile may name.
const npmRegistry = "registry.npmjs.org"

// checkNPM returns what is not pinned in a package.json, and what its lockfile
// would fetch from elsewhere or without a checksum.
func checkNPM(manifest, lockfile []byte) ([]string, error) {
	var m struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, err
	}
	var faults []string
	for _, group := range []map[string]string{m.Dependencies, m.DevDependencies} {
		for name, version := range group {
			if !exactVersion.MatchString(version) {
				faults = append(faults, fmt.Sprintf("package.json: %s is %q, not an exact version", name, version))
			}
		}
	}
	var lock struct {
		Packages map[string]struct {
			Resolved  string `json:"resolved"`
			Integrity string `json:"integrity"`
			Link      bool   `json:"link"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(lockfile, &lock); err != nil {
		return nil, err
	}
	for name, p := range lock.Packages {
		if name == "" {
			continue
		}
		if p.Integrity == "" || p.Link {
			faults = append(faults, "package-lock.json: "+name+" has no checksum")
		}
		if p.Resolved == "" {
			continue
		}
		if u, err := url.Parse(p.Resolved); err != nil || u.Scheme != "https" || u.Host != npmRegistry {
			faults = append(faults, fmt.Sprintf("package-lock.json: %s comes from %s", name, p.Resolved))
		}
	}
	sort.Strings(faults)
	return faults, nil
}

var usesLine = regexp.MustCompile(`(?m)^\s*-?\s*uses:\s*(\S+)`)

// checkActions returns actions of a workflow that float with a branch.
func checkActions(name, text string) []string {
	var faults []string
	for _, match := range usesLine.FindAllStringSubmatch(text, -1) {
		_, version, ok := strings.Cut(match[1], "@")
		if !ok || !regexp.MustCompile(`^v\d`).MatchString(version) && len(version) != 40 {
			faults = append(faults, fmt.Sprintf("%s: %s is not pinned to a version", name, match[1]))
		}
	}
	return faults
}
