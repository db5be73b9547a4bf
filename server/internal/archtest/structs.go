package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"sort"
	"strings"
)

// generated is what sqlc wrote for one dialect: texts that must be equal on
// both sides, by name.
type generated struct {
	structs map[string]string // fields with their types, in order
	methods map[string]string // parameters and results of the methods of *Queries
	used    map[string]bool   // structs that files of shared queries mention
}

// readGenerated reads a folder of generated code without the files of queries
// that may differ (*_engine.sql).
func readGenerated(folder string) (generated, error) {
	g := generated{structs: map[string]string{}, methods: map[string]string{}, used: map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return g, err
	}
	for _, name := range files {
		base := filepath.Base(name)
		if strings.HasSuffix(base, engineSuffix+".go") || base == "db.go" || base == "querier.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return g, err
		}
		g.add(file, base == "models.go")
	}
	return g, nil
}

func (g generated) add(file *ast.File, models bool) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					g.structs[named.Name.Name] = types.ExprString(named.Type)
				}
			}
		case *ast.FuncDecl:
			if decl.Recv != nil {
				g.methods[decl.Name.Name] = strings.ReplaceAll(types.ExprString(decl.Type), "interface{}", "any")
			}
		}
	}
	if models {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			g.used[name.Name] = true
		}
		return true
	})
}

// compareGenerated returns what differs between the dialects. A struct of
// models.go that only engine queries use may be on one side only.
func compareGenerated(sqlite, postgres generated) []string {
	var faults []string
	compare := func(kind string, a, b map[string]string, needed func(name string) bool) {
		names := map[string]bool{}
		for name := range a {
			names[name] = true
		}
		for name := range b {
			names[name] = true
		}
		for name := range names {
			left, onLeft := a[name]
			right, onRight := b[name]
			switch {
			case onLeft && onRight && left != right:
				faults = append(faults, fmt.Sprintf("%s %s differs:\n\tsqlitedb %s\n\tpgdb     %s", kind, name, left, right))
			case onLeft != onRight && needed(name):
				faults = append(faults, fmt.Sprintf("%s %s is on one side only (sqlitedb: %v, pgdb: %v)", kind, name, onLeft, onRight))
			}
		}
	}
	compare("struct", sqlite.structs, postgres.structs, func(name string) bool { return sqlite.used[name] || postgres.used[name] })
	compare("query", sqlite.methods, postgres.methods, func(string) bool { return true })
	for name, signature := range sqlite.methods {
		if strings.Contains(signature, "any") {
			faults = append(faults, fmt.Sprintf("query %s has an untyped part: %s", name, signature))
		}
	}
	for name, fields := range sqlite.structs {
		if strings.Contains(fields, "interface{}") || strings.Contains(fields, " any") {
			faults = append(faults, fmt.Sprintf("struct %s has an untyped field: %s", name, fields))
		}
	}
	sort.Strings(faults)
	return faults
}
