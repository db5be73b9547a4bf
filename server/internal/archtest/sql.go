package archtest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// dialects are the folders below sql/.
var dialects = []string{"sqlite", "postgres"}

// engineSuffix marks the files whose queries may differ between the engines:
// full-text search, vectors, claims and graph steps.
const engineSuffix = "_engine.sql"

// query is one named query of a file.
type query struct {
	name string
	kind string // such as :one
	text string // without comments and with string literals emptied
	line int
}

// sqlFile is one file below sql/, with its path relative to that.
type sqlFile struct {
	path    string
	text    string
	queries []query
}

func (f sqlFile) dialect() string { d, _, _ := strings.Cut(f.path, "/"); return d }
func (f sqlFile) section() string { return path.Base(path.Dir(f.path)) } // migrations or queries
func (f sqlFile) shared() bool    { return !strings.HasSuffix(f.path, engineSuffix) }

// readSQL reads every file below sql/.
func readSQL(folder fs.FS) ([]sqlFile, error) {
	var files []sqlFile
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".sql" {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		files = append(files, newSQLFile(name, string(text)))
		return nil
	})
	return files, err
}

func newSQLFile(name, text string) sqlFile {
	f := sqlFile{path: name, text: text}
	if f.section() == "queries" {
		f.queries = splitQueries(text)
	}
	return f
}

var queryLine = regexp.MustCompile(`^-- name: (\w+) (:\w+)\s*$`)

func splitQueries(text string) []query {
	var queries []query
	for n, line := range strings.Split(text, "\n") {
		if match := queryLine.FindStringSubmatch(line); match != nil {
			queries = append(queries, query{name: match[1], kind: match[2], line: n + 1})
		} else if len(queries) > 0 {
			queries[len(queries)-1].text += line + "\n"
		}
	}
	for i := range queries {
		queries[i].text = stripSQL(queries[i].text)
	}
	return queries
}

var (
	sqlComment = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)
	sqlLiteral = regexp.MustCompile(`'(?:[^']|'')*'`)
)

// stripSQL removes comments and what stands in string literals.
func stripSQL(text string) string {
	return sqlComment.ReplaceAllString(sqlLiteral.ReplaceAllString(text, "''"), "")
}

// checkASCII returns the lines with other characters: sqlc counts bytes and
// characters differently on SQLite and writes broken code, for comments too.
func checkASCII(files []sqlFile) []string {
	var faults []string
	for _, f := range files {
		for n, line := range strings.Split(f.text, "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
				faults = append(faults, fmt.Sprintf("sql/%s:%d: not ASCII", f.path, n+1))
			}
		}
	}
	return faults
}

const parameter = `(?:[@?$:]\w+|\?|sqlc\.n?arg\s*\(|CAST\s*\(\s*(?:[@?]|sqlc\.))`

// bannedForms are what sqlc gets wrong on one side, mostly in silence.
var bannedForms = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(?i)\bsqlc\.slice\b`), "sqlc.slice before another parameter gives wrong rows: pass a JSON array"},
	{regexp.MustCompile(`(?i)\bORDER\s+BY\b[^;()]*?(?:[@?$]\w|\?|sqlc\.n?arg)[^;]*?(?:\bLIMIT\b|;)`), "a parameter in ORDER BY is dropped on SQLite: one query for each order"},
	{regexp.MustCompile(`(?i)\bOFFSET\b`), "OFFSET reads what it skips and misses rows: use a keyset"},
	{regexp.MustCompile(`(?i)` + parameter + `[^()]*\)*\s+IS\s+NULL\s+OR\b`), "a parameter before IS NULL OR becomes interface{}: put the column first"},
	{regexp.MustCompile(`(?i)\bPRAGMA\b`), "PRAGMA is not supported by sqlc: the store opens connections"},
	{regexp.MustCompile(`(?i)[@:]items\b`), "a parameter named items clashes with generated code"},
}

// updateParameter matches a parameter in the UPDATE of an INSERT's conflict.
var updateParameter = regexp.MustCompile(`(?is)\bON\s+CONFLICT\b.*?\bDO\s+UPDATE\b(.*?)(?:\bRETURNING\b|;|$)`)

var bareParameter = regexp.MustCompile(`(?i)[@$:]\w|\?|\bsqlc\.n?arg\b`)

// hasConflictParameter reports whether a query of SQLite's has one.
func hasConflictParameter(f sqlFile, q query) bool {
	if f.dialect() != "sqlite" {
		return false
	}
	for _, update := range updateParameter.FindAllStringSubmatch(q.text, -1) {
		if bareParameter.MatchString(update[1]) {
			return true
		}
	}
	return false
}

// rowValue matches (a, b) < (@a, @b) with a bare parameter on its right side.
var rowValue = regexp.MustCompile(`\([^()]+,[^()]+\)\s*(?:<|>|<=|>=)\s*\([^()]*[@?$:]`)

// bannedKinds exist on one engine only.
var bannedKinds = []string{":copyfrom", ":batchexec", ":batchone", ":batchmany"}

// checkForms returns the banned forms in queries.
func checkForms(files []sqlFile) []string {
	var faults []string
	for _, f := range files {
		for _, q := range f.queries {
			where := fmt.Sprintf("sql/%s:%d: %s: ", f.path, q.line, q.name)
			for _, banned := range bannedForms {
				if banned.pattern.MatchString(withoutLimit(q.text) + ";") {
					faults = append(faults, where+banned.why)
				}
			}
			if hasConflictParameter(f, q) {
				faults = append(faults, where+"a parameter in ON CONFLICT DO UPDATE is dropped on SQLite: take it from excluded, or use two statements")
			}
			if rowValue.MatchString(withoutTyped(q.text)) {
				faults = append(faults, where+"the second bare parameter of a row-value comparison is mistyped: CAST it or expand the keyset")
			}
			if slices.Contains(bannedKinds, q.kind) {
				faults = append(faults, where+q.kind+" exists on Postgres only")
			}
			if q.name == "Q" {
				faults = append(faults, where+"a query named Q clashes with generated code")
			}
		}
	}
	return faults
}

var limitClause = regexp.MustCompile(`(?i)\bLIMIT\s+` + `(?:CAST\s*\([^)]*\)|[@?$:]\w+(?:::\w+)?|sqlc\.n?arg\s*\([^)]*\)(?:::\w+)?|\d+)`)

var typedParameter = regexp.MustCompile(`(?i)\(\s*CAST\s*\(\s*@\w+\s+AS\s+\w+(?:\s+\w+)?\s*\)|,\s*CAST\s*\(\s*@\w+\s+AS\s+\w+(?:\s+\w+)?\s*\)`)

// withoutTyped replaces parameters with a CAST inside lists, such as the right
// side of a row-value comparison, where sqlc types them well.
func withoutTyped(text string) string {
	return typedParameter.ReplaceAllStringFunc(text, func(match string) string { return match[:1] + "0" })
}

// withoutLimit keeps a parameter of LIMIT from being taken for one of ORDER BY.
func withoutLimit(text string) string { return limitClause.ReplaceAllString(text, "LIMIT 0") }

var columnType = regexp.MustCompile(`(?im)^\s+(?:ADD\s+COLUMN\s+)?(\w+)\s+(TIMESTAMP|TIMESTAMPTZ|DATETIME|DATE|TIME|JSON|JSONB|UUID|SERIAL|BIGSERIAL|REAL|FLOAT|FLOAT4)\b`)

// checkColumns returns columns of kinds that the two engines map to different
// Go types, or sort differently.
func checkColumns(files []sqlFile) []string {
	var faults []string
	for _, f := range files {
		if f.section() != "migrations" || !f.shared() {
			continue
		}
		for _, match := range columnType.FindAllStringSubmatch(stripSQL(f.text), -1) {
			faults = append(faults, fmt.Sprintf("sql/%s: column %s %s: times are BIGINT microseconds, JSON and ids TEXT, numbers BIGINT or DOUBLE PRECISION", f.path, match[1], match[2]))
		}
	}
	return faults
}

// checkPairs returns what one dialect has and the other lacks: files, queries,
// and the kinds of queries.
func checkPairs(files []sqlFile) []string {
	var faults []string
	seen := map[string]map[string]string{} // what -> dialect -> kind
	note := func(what, dialect, kind string) {
		if seen[what] == nil {
			seen[what] = map[string]string{}
		}
		if _, twice := seen[what][dialect]; twice {
			faults = append(faults, fmt.Sprintf("sql/%s: %s is there twice", dialect, what))
		}
		seen[what][dialect] = kind
	}
	for _, f := range files {
		if !f.shared() {
			continue
		}
		_, rest, _ := strings.Cut(f.path, "/")
		note("file "+rest, f.dialect(), "")
		for _, q := range f.queries {
			note("query "+q.name+" of "+rest, f.dialect(), q.kind)
		}
	}
	for what, by := range seen {
		for _, dialect := range dialects {
			if _, ok := by[dialect]; !ok {
				faults = append(faults, fmt.Sprintf("sql/%s: %s is missing", dialect, what))
			}
		}
		if len(by) == 2 && by[dialects[0]] != by[dialects[1]] {
			faults = append(faults, fmt.Sprintf("%s: %s on %s, %s on %s", what, by[dialects[0]], dialects[0], by[dialects[1]], dialects[1]))
		}
	}
	sort.Strings(faults)
	return faults
}

var migrationName = regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.(up|down)\.sql$`)

// checkMigrations returns gaps in the numbers, and steps without a way back.
func checkMigrations(files []sqlFile) []string {
	var faults []string
	for _, dialect := range dialects {
		ways := map[int][]string{}
		for _, f := range files {
			if f.dialect() != dialect || f.section() != "migrations" {
				continue
			}
			match := migrationName.FindStringSubmatch(path.Base(f.path))
			if match == nil {
				faults = append(faults, "sql/"+f.path+": the name must be like 0001_init.up.sql")
				continue
			}
			number, err := strconv.Atoi(match[1])
			if err != nil {
				faults = append(faults, "sql/"+f.path+": "+err.Error())
				continue
			}
			ways[number] = append(ways[number], match[2])
		}
		if len(ways) == 0 {
			faults = append(faults, "sql/"+dialect+" has no migrations")
		}
		for n := 1; n <= len(ways); n++ {
			sort.Strings(ways[n])
			if !slices.Equal(ways[n], []string{"down", "up"}) {
				faults = append(faults, fmt.Sprintf("sql/%s: migration %04d has %v, it needs one up and one down", dialect, n, ways[n]))
			}
		}
	}
	return faults
}
