package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is one parsed file.
type source struct {
	name string // relative to the module, with slashes
	file *ast.File
}

// goSources parses the Go files below folder that are not tests.
func goSources(root, folder string, files *token.FileSet) ([]source, error) {
	var sources []source
	err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		sources = append(sources, source{name: filepath.ToSlash(relative), file: file})
		return nil
	})
	return sources, err
}

// pureExempt are the folders that may hold the clock and the random source: the
// wiring, and what only tests use.
var pureExempt = []string{
	"server/internal/app", "server/internal/pgtest", "server/internal/archtest", "server/internal/store/storetest", "server/internal/e2e",
}

// impure are functions and values that reach out of the program, by import path.
// "*" means everything but what is in harmless.
var impure = map[string][]string{
	"time":     {"Now", "Since", "Until"},
	"log":      {"*"},
	"log/slog": {"Default", "SetDefault", "Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs"},

	"crypto/rand":            {"*"},
	"math/rand":              {"*"},
	"math/rand/v2":           {"*"},
	"github.com/google/uuid": {"New", "NewString", "NewRandom", "NewUUID", "NewV6", "NewV7", "Must"},
}

// harmless are what a "*" leaves: types, and generators over a given source.
var harmless = map[string][]string{
	"math/rand":    {"New", "NewSource", "NewZipf", "Rand", "Source", "Source64", "Zipf"},
	"math/rand/v2": {"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"},
	"log":          {"Logger"},
}

// checkPurity returns uses of the clock, random sources and default loggers,
// init functions, and package variables that are changed or made to be.
func checkPurity(sources []source, files *token.FileSet) []string {
	var faults []string
	packages := map[string][]source{}
	for _, s := range sources {
		if s.file.Name.Name == "main" || belowAny(s.name, pureExempt) {
			continue
		}
		faults = append(faults, impureUses(s, files)...)
		faults = append(faults, initFunctions(s, files)...)
		folder := path.Dir(s.name)
		packages[folder] = append(packages[folder], s)
	}
	for _, folder := range slices.Sorted(keys(packages)) {
		faults = append(faults, mutableGlobals(packages[folder], files)...)
	}
	return faults
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// at returns "file:line" of a node.
func at(s source, files *token.FileSet, node ast.Node) string {
	return s.name + ":" + strconv.Itoa(files.Position(node.Pos()).Line)
}

// importNames returns the import path of each name by which a file knows a
// package.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(importPath)
		if name == "v2" {
			name = path.Base(path.Dir(importPath))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = importPath
	}
	return names
}

func impureUses(s source, files *token.FileSet) []string {
	var faults []string
	names := importNames(s.file)
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name, ok := selector.X.(*ast.Ident)
		if !ok || name.Obj != nil { // a local variable of the same name
			return true
		}
		banned := impure[names[name.Name]]
		word := selector.Sel.Name
		all := slices.Contains(banned, "*") && !slices.Contains(harmless[names[name.Name]], word)
		if all || slices.Contains(banned, word) {
			faults = append(faults, fmt.Sprintf("%s: %s.%s: have it injected", at(s, files, n), name.Name, word))
		}
		return true
	})
	return faults
}

func initFunctions(s source, files *token.FileSet) []string {
	var faults []string
	for _, decl := range s.file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			faults = append(faults, at(s, files, f)+": func init: do it where the program is wired")
		}
	}
	return faults
}

// mutableGlobals returns the package variables that some code changes, and those
// whose kind is made for it, such as a mutex or an empty map. Tables that are
// only read are fine.
func mutableGlobals(sources []source, files *token.FileSet) []string {
	var faults []string
	globals := map[string]*ast.ValueSpec{}
	for _, s := range sources {
		for _, decl := range s.file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				value := spec.(*ast.ValueSpec)
				embedded := general.Doc != nil || value.Doc != nil
				for i, name := range value.Names {
					globals[name.Name] = value
					if reason := madeToChange(value, i, embedded && hasEmbed(general.Doc, value.Doc)); name.Name != "_" && reason != "" {
						faults = append(faults, fmt.Sprintf("%s: global %s %s", at(s, files, name), name.Name, reason))
					}
				}
			}
		}
	}
	delete(globals, "_")
	for _, s := range sources {
		for _, changed := range changes(s.file) {
			root := rootOf(changed)
			if root == nil {
				continue
			}
			spec, isGlobal := globals[root.Name]
			if isGlobal && (root.Obj == nil || root.Obj.Decl == spec) {
				faults = append(faults, fmt.Sprintf("%s: global %s is changed", at(s, files, changed), root.Name))
			}
		}
	}
	return faults
}

func hasEmbed(groups ...*ast.CommentGroup) bool {
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// madeToChange says why the i-th variable of a declaration cannot be a constant
// table, or nothing.
func madeToChange(value *ast.ValueSpec, i int, embedded bool) string {
	if embedded {
		return ""
	}
	var initial ast.Expr
	if i < len(value.Values) {
		initial = value.Values[i]
	}
	if call, ok := initial.(*ast.CallExpr); ok {
		if f, ok := call.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
			return "starts empty, so something must fill it"
		}
	}
	kind := value.Type
	if literal, ok := initial.(*ast.CompositeLit); ok && kind == nil {
		kind = literal.Type
	}
	if selector, ok := kind.(*ast.SelectorExpr); ok {
		if name, ok := selector.X.(*ast.Ident); ok && (name.Name == "sync" || name.Name == "atomic") {
			return "is a " + name.Name + "." + selector.Sel.Name
		}
	}
	if initial == nil && len(value.Values) == 0 {
		return "has no value, so something must set it"
	}
	return ""
}

// changes returns the expressions that a file assigns to, or takes the address
// of, or clears.
func changes(file *ast.File) []ast.Expr {
	var found []ast.Expr
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				found = append(found, n.Lhs...)
			}
		case *ast.IncDecStmt:
			found = append(found, n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				found = append(found, n.X)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
				found = append(found, n.Args[0])
			}
		}
		return true
	})
	return found
}

// rootOf returns the variable at the root of x, x.f, x[i] and *x.
func rootOf(expr ast.Expr) *ast.Ident {
	for {
		switch e := expr.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.StarExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		default:
			return nil
		}
	}
}
