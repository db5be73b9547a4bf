package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// fileSuffix behind the name of a secret gives the path of a file that holds it.
const fileSuffix = "_FILE"

// Load reads the configuration from an environment in the form of os.Environ.
// An empty variable counts as not set, which is how compose files pass
// variables on. The error is an *Error.
func Load(environ []string) (*Config, error) {
	loader := &loader{env: kglVariables(environ), origins: map[string]string{}}
	cfg := &Config{}
	fields := fieldsOf(reflect.ValueOf(cfg).Elem())
	loader.readFiles(fields)
	loader.parse(cfg, fields)
	loader.warnUnknown(fields)
	if len(loader.problems) == 0 {
		loader.problems = append(loader.problems, cfg.check()...)
	}
	if len(loader.problems) > 0 {
		slices.SortStableFunc(loader.problems, func(a, b Problem) int { return strings.Compare(a.Variable, b.Variable) })
		return nil, &Error{Problems: loader.problems}
	}
	cfg.settings = loader.describe(fields)
	cfg.warnings = loader.warnings
	return cfg, nil
}

// field is one variable of the structure.
type field struct {
	goName string // unique among all groups, which a test holds
	name   string
	def    string
	secret bool
	value  reflect.Value
}

func fieldsOf(config reflect.Value) []field {
	var fields []field
	for i := range config.NumField() {
		group := config.Field(i)
		if !config.Type().Field(i).IsExported() {
			continue
		}
		for j := range group.NumField() {
			f := group.Type().Field(j)
			fields = append(fields, field{
				goName: f.Name,
				name:   f.Tag.Get("env"),
				def:    f.Tag.Get("envDefault"),
				secret: f.Tag.Get("secret") == "true",
				value:  group.Field(j),
			})
		}
	}
	return fields
}

// loader carries what is found on the way.
type loader struct {
	env      map[string]string // only KGL_*, only what is not empty
	origins  map[string]string // by variable; absent means the default
	problems []Problem
	warnings []string
}

func (l *loader) problem(variable, format string, args ...any) {
	l.problems = append(l.problems, Problem{Variable: variable, Message: fmt.Sprintf(format, args...)})
}

func kglVariables(environ []string) map[string]string {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "KGL_") && value != "" {
			env[name] = value
		}
	}
	return env
}

// readFiles replaces each NAME_FILE of a secret by the content of the file.
func (l *loader) readFiles(fields []field) {
	for _, f := range fields {
		if _, ok := l.env[f.name]; ok {
			l.origins[f.name] = "environment"
		}
		path, ok := l.env[f.name+fileSuffix]
		if !ok || !f.secret {
			continue
		}
		if _, both := l.env[f.name]; both {
			l.problem(f.name+fileSuffix, "set this or %s, not both", f.name)
			continue
		}
		text, err := l.readSecret(f.name+fileSuffix, path)
		if err != nil {
			l.problem(f.name+fileSuffix, "%v", err)
			continue
		}
		l.env[f.name] = text
		l.origins[f.name] = path
	}
}

// maxSecretFile bounds a secret file, in bytes: a larger one is a mistake.
const maxSecretFile = 64 << 10

// readSecret reads the file of a secret, without the line end that editors put
// behind it. A file that others can change is refused; one that others can read
// is reported, because container engines mount secrets so.
func (l *loader) readSecret(variable, path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the file: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a file", path)
	case info.Size() > maxSecretFile:
		return "", fmt.Errorf("%s is too large for a secret", path)
	case info.Mode().Perm()&0o002 != 0:
		return "", fmt.Errorf("%s can be changed by every user of this machine: chmod 600 it", path)
	case info.Mode().Perm()&0o004 != 0:
		l.warnings = append(l.warnings, fmt.Sprintf("%s: %s can be read by every user of this machine: chmod 600 it", variable, path))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the file: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// parse fills cfg and turns each fault of the library into a problem.
func (l *loader) parse(cfg *Config, fields []field) {
	err := env.ParseWithOptions(cfg, env.Options{Environment: l.env})
	if err == nil {
		return
	}
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		l.problem("KGL_*", "%v", err)
		return
	}
	for _, fault := range all.Errors {
		parse, ok := errors.AsType[env.ParseError](fault)
		if !ok {
			l.problem("KGL_*", "%v", fault)
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.goName == parse.Name })
		l.problem(fields[i].name, "%s", explain(fields[i], parse.Err))
	}
}

// explain words the faults of the built-in parsers; our own types do it better.
func explain(f field, err error) string {
	switch f.value.Interface().(type) {
	case time.Duration:
		return "must be a duration such as 90s, 15m or 24h"
	case int:
		return "must be a whole number"
	case float64:
		return "must be a number such as 0.5 or 2"
	default:
		return err.Error()
	}
}

// ignored are prefixes of variables that belong to the tests.
var ignored = []string{"KGL_TEST_", "KGL_SHARED", "KGL_BENCH_", "KGL_FUZZ_"}

// warnUnknown reports variables that mean nothing, most of which are typing
// errors: a misspelt limit would be no limit.
func (l *loader) warnUnknown(fields []field) {
	known := map[string]bool{}
	var names []string
	for _, f := range fields {
		known[f.name] = true
		known[f.name+fileSuffix] = f.secret
		names = append(names, f.name)
	}
	var unknown []string
	for name := range l.env {
		test := slices.ContainsFunc(ignored, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if !known[name] && !test {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		text := name + ": there is no such variable"
		if near := nearest(name, names); near != "" {
			text += ", did you mean " + near + "?"
		}
		l.warnings = append(l.warnings, text)
	}
}

func (l *loader) describe(fields []field) []Setting {
	settings := make([]Setting, 0, len(fields))
	for _, f := range fields {
		origin := l.origins[f.name]
		if origin == "" {
			origin = "default"
		}
		settings = append(settings, Setting{Name: f.name, Value: fmt.Sprint(f.value.Interface()), Origin: origin})
	}
	return settings
}
