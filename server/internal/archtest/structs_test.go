package archtest

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

func TestStructs(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	sqlite, err := readGenerated(filepath.Join(root, "gen", "sqlitedb"))
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := readGenerated(filepath.Join(root, "gen", "pgdb"))
	if err != nil {
		t.Fatal(err)
	}
	if len(sqlite.structs) < 5 || len(sqlite.methods) < 5 {
		t.Fatalf("only %d structs and %d queries found: the rule would test nothing", len(sqlite.structs), len(sqlite.methods))
	}
	for _, fault := range compareGenerated(sqlite, postgres) {
		t.Error(fault)
	}
}

func TestStructsAreEnforced(t *testing.T) {
	parse := func(models, queries string) generated {
		g := generated{structs: map[string]string{}, methods: map[string]string{}, used: map[string]bool{}}
		for i, text := range []string{models, queries} {
			file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+text, 0)
			if err != nil {
				t.Fatal(err)
			}
			g.add(file, i == 0)
		}
		return g
	}
	const model, use = "type T struct { ID string; N *int64 }", "func (q *Queries) Get(ctx context.Context, id string) (T, error) { return T{}, nil }"
	for name, tt := range map[string]struct {
		sqlite, postgres generated
		want             string
	}{
		"equal":             {parse(model, use), parse(model, use), ""},
		"type":              {parse(model, use), parse("type T struct { ID string; N *int32 }", use), "struct T differs"},
		"order":             {parse(model, use), parse("type T struct { N *int64; ID string }", use), "struct T differs"},
		"missing":           {parse(model, use), parse("", use), "struct T is on one side only"},
		"unused on one":     {parse(model+"\ntype Fts struct { Q string }", use), parse(model, use), ""},
		"signature":         {parse(model, use), parse(model, strings.Replace(use, "id string", "id *string", 1)), "query Get differs"},
		"query on one side": {parse(model, use), parse(model, ""), "query Get is on one side only"},
		"untyped":           {parse("type T struct { N interface{} }", ""), parse("type T struct { N interface{} }", ""), "untyped"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(compareGenerated(tt.sqlite, tt.postgres), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
