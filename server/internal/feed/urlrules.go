package feed

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// pageRules are the rules of urlrules.txt. They are read once and never
// changed after.
var pageRules = mustReadURLRules(urlRulesText)

//go:embed urlrules.txt
var urlRulesText string

// urlRules say which URLs are the same page. The zero value has none.
type urlRules struct {
	labels   []string              // of the host, that tell one form of a site
	language []string              // the same, behind a label of a language
	hosts    map[string]*hostRules // one host
	below    map[string]*hostRules // one host and all below it
	anywhere map[string]*hostRules // one name under every public suffix
	endings  []pathEnding
	sessions []string // beginnings of parts of a path, such as ";jsessionid="
	segments []urlPattern
	params   paramRules
}

// hostRules are what holds on a host only.
type hostRules struct {
	name      string // the host under which this one is known
	caches    []string
	redirects []redirectRule
	paths     []pathRule
	params    paramRules
	only      map[string][]string // by path
}

type pathEnding struct{ from, to string }

// redirectRule finds a page in a parameter of a path; a path that ends in "*"
// begins so.
type redirectRule struct{ path, param string }

// pathRule turns a path into an address. An empty target leaves it.
type pathRule struct {
	from []urlPattern
	to   string // host, path and query, with {names}
}

// urlPattern is a segment of a path, or the value of a parameter.
type urlPattern struct {
	text  string // what it begins with; all of it, when nothing is open
	tail  string // what it ends with
	name  string // of what stands between, which a target may want
	open  bool   // something stands between
	count int    // how many letters, digits, "-" and "_" that is; 0 for any text
	rest  bool   // all that follows, with slashes
}

// paramRules tell which parameters of a query are dropped, by name in lower
// case. No patterns of a value means any value.
type paramRules struct {
	exact    map[string][]urlPattern
	prefixes map[byte][]string // by their first byte
}

// mustReadURLRules panics on rules that cannot be read: they are part of the
// program.
func mustReadURLRules(text string) *urlRules {
	rules, err := readURLRules(text, -1)
	if err != nil {
		panic("feed: " + err.Error())
	}
	return rules
}

// readURLRules reads rules in the form that urlrules.txt describes. Rules are
// counted from 0, and the one with the number without is left out. An error
// names the line.
func readURLRules(text string, without int) (*urlRules, error) {
	r := &ruleReader{without: without, rules: &urlRules{
		hosts: map[string]*hostRules{}, below: map[string]*hostRules{}, anywhere: map[string]*hostRules{},
	}}
	sections := r.sections()
	section := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		name, isSection := strings.CutPrefix(line, "[")
		var err error
		switch {
		case line == "", line[0] == '#':
		case isExample(line):
			_, _, err = readExample(line)
		case isSection:
			section = strings.TrimSuffix(name, "]")
			if sections[section] == nil {
				err = fmt.Errorf("there is no section [%s", name)
			}
		case section == "":
			err = fmt.Errorf("a rule before the first [section]")
		default:
			err = sections[section](line)
		}
		if err != nil {
			return nil, fmt.Errorf("rules of URLs, line %d: %w", i+1, err)
		}
	}
	return r.rules, nil
}

// isExample tells an example from a rule.
func isExample(line string) bool {
	return strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://")
}

// readExample returns a URL and what it becomes.
func readExample(line string) (from, to string, err error) {
	from, to, ok := strings.Cut(line, " -> ")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	switch {
	case !ok || from == "" || to == "":
		return "", "", fmt.Errorf("an example is written: URL -> URL, or URL -> same")
	case to == "same":
		return from, from, nil
	}
	return from, to, nil
}

// ruleReader puts the rules of a text in their places.
type ruleReader struct {
	rules   *urlRules
	count   int
	without int
}

// sections are the readers of one line of rules, by section.
func (r *ruleReader) sections() map[string]func(line string) error {
	return map[string]func(string) error{
		"host labels":          r.hostLabels,
		"hosts":                r.hostNames,
		"caches":               r.caches,
		"redirects":            r.redirects,
		"paths":                r.paths,
		"path endings":         r.endings,
		"path sessions":        r.pathSessions,
		"parameters":           func(line string) error { return r.parameters(&r.rules.params, strings.Fields(line)) },
		"parameters of a host": r.hostParameters,
		"only parameters":      r.onlyParameters,
	}
}

// next counts a rule and reports whether it is to be kept.
func (r *ruleReader) next() bool {
	r.count++
	return r.count-1 != r.without
}

// host returns the rules of a host, which it checks.
func (r *ruleReader) host(host string) (*hostRules, error) {
	name, isBelow := strings.CutPrefix(host, "*.")
	name, isAnywhere := strings.CutSuffix(name, ".*")
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.HasPrefix(name, "www.") ||
		isBelow && isAnywhere || isAnywhere == strings.Contains(name, ".") {
		return nil, fmt.Errorf("%q is not a host in lower case, without www", host)
	}
	into := r.rules.hosts
	switch {
	case isBelow:
		into = r.rules.below
	case isAnywhere:
		into = r.rules.anywhere
	}
	if into[name] == nil {
		into[name] = &hostRules{}
	}
	return into[name], nil
}

// address splits HOST/PATH.
func (r *ruleReader) address(text string) (rules *hostRules, path string, err error) {
	host, path, ok := strings.Cut(text, "/")
	if !ok {
		return nil, "", fmt.Errorf("%q is not a host with a path", text)
	}
	rules, err = r.host(host)
	return rules, "/" + path, err
}

func (r *ruleReader) hostLabels(line string) error {
	for _, word := range strings.Fields(line) {
		label, language := strings.CutPrefix(word, "{language}.")
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%q is not a label of a host", word)
		}
		switch {
		case !r.next():
		case language:
			r.rules.language = append(r.rules.language, label)
		default:
			r.rules.labels = append(r.rules.labels, label)
		}
	}
	return nil
}

func (r *ruleReader) hostNames(line string) error {
	from, to, ok := strings.Cut(line, "->")
	to = strings.TrimSpace(to)
	if !ok || to == "" || strings.ContainsAny(from+to, "*/") {
		return fmt.Errorf("hosts that are one are written: HOST HOST -> HOST")
	}
	for _, host := range strings.Fields(from) {
		rules, err := r.host(host)
		if err != nil {
			return err
		}
		if r.next() {
			rules.name = to
		}
	}
	return nil
}

func (r *ruleReader) caches(line string) error {
	for _, word := range strings.Fields(line) {
		rules, path, err := r.address(word)
		if err != nil {
			return err
		}
		if r.next() {
			rules.caches = append(rules.caches, path)
		}
	}
	return nil
}

func (r *ruleReader) redirects(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("a redirect is written: HOST/PATH PARAMETER")
	}
	rules, path, err := r.address(words[0])
	if err != nil {
		return err
	}
	for _, param := range words[1:] {
		if r.next() {
			rules.redirects = append(rules.redirects, redirectRule{path: path, param: param})
		}
	}
	return nil
}

func (r *ruleReader) paths(line string) error {
	from, to, ok := strings.Cut(line, "->")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if !ok || from == "" || to != "same" && !strings.Contains(to, "/") {
		return fmt.Errorf("a path is written: HOST/PATTERN -> HOST/PATTERN, or -> same")
	}
	rules, path, err := r.address(from)
	if err != nil {
		return err
	}
	rule := pathRule{to: to}
	if to == "same" {
		rule.to = ""
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		pattern, err := readPattern(segment)
		if err != nil {
			return err
		}
		rule.from = append(rule.from, pattern)
		if pattern.name != "" {
			to = strings.ReplaceAll(to, "{"+pattern.name+"}", "")
		}
	}
	if strings.ContainsAny(to, "{}") {
		return fmt.Errorf("%q wants what the pattern does not have", rule.to)
	}
	if r.next() {
		rules.paths = append(rules.paths, rule)
	}
	return nil
}

// readPattern reads a segment: text, {name}, {name:11}, {11} or {*}, with text
// around what is open.
func readPattern(segment string) (urlPattern, error) {
	text, rest, ok := strings.Cut(segment, "{")
	if !ok {
		return urlPattern{text: text}, nil
	}
	inner, tail, closed := strings.Cut(rest, "}")
	name, count, counted := strings.Cut(inner, ":")
	if !counted && strings.Trim(inner, "0123456789") == "" {
		name, count, counted = "", inner, true
	}
	p := urlPattern{text: text, tail: tail, name: name, open: true, rest: name == "*"}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil || n <= 0 {
			return p, fmt.Errorf("%q does not say how many characters", segment)
		}
		p.count = n
	}
	if !closed || strings.ContainsAny(tail, "{}") || inner == "" || p.rest && text+tail != "" {
		return p, fmt.Errorf("%q is not a pattern", segment)
	}
	return p, nil
}

func (r *ruleReader) endings(line string) error {
	from, to, ok := strings.Cut(line, "->")
	ending := pathEnding{from: strings.TrimSpace(from), to: strings.TrimSpace(to)}
	if !ok || ending.from == "" || len(ending.to) >= len(ending.from) {
		return fmt.Errorf("an ending is written: ENDING -> shorter ENDING, or nothing")
	}
	if r.next() {
		r.rules.endings = append(r.rules.endings, ending)
	}
	return nil
}

func (r *ruleReader) pathSessions(line string) error {
	for _, word := range strings.Fields(line) {
		segment, isSegment := strings.CutPrefix(word, "/")
		switch {
		case isSegment && strings.HasSuffix(segment, "/"):
			pattern, err := readPattern(strings.TrimSuffix(segment, "/"))
			if err != nil {
				return err
			}
			if r.next() {
				r.rules.segments = append(r.rules.segments, pattern)
			}
		case word[0] == ';' && len(word) > 2:
			if r.next() {
				r.rules.sessions = append(r.rules.sessions, word)
			}
		default:
			return fmt.Errorf("%q is neither ;NAME= nor a /segment/", word)
		}
	}
	return nil
}

func (r *ruleReader) hostParameters(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("parameters of a host are written: HOST PARAMETER")
	}
	rules, err := r.host(words[0])
	if err != nil {
		return err
	}
	return r.parameters(&rules.params, words[1:])
}

func (r *ruleReader) onlyParameters(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("the only parameters are written: HOST/PATH PARAMETER")
	}
	rules, path, err := r.address(words[0])
	if err != nil {
		return err
	}
	if rules.only == nil {
		rules.only = map[string][]string{}
	}
	for _, name := range words[1:] {
		if r.next() {
			rules.only[path] = append(rules.only[path], name)
		}
	}
	return nil
}

// parameters reads NAME, NAME*, NAME=, NAME=VALUE, NAME=VALUE* and NAME={32}.
func (r *ruleReader) parameters(into *paramRules, words []string) error {
	if into.exact == nil {
		into.exact, into.prefixes = map[string][]urlPattern{}, map[byte][]string{}
	}
	for _, word := range words {
		name, value, hasValue := strings.Cut(word, "=")
		begins, isPrefix := strings.CutSuffix(name, "*")
		if begins == "" || isPrefix && hasValue || strings.ToLower(word) != word || strings.ContainsAny(begins, "*&%{}") {
			return fmt.Errorf("%q is not a parameter in lower case", word)
		}
		pattern, err := readValue(value)
		patterns, known := into.exact[begins]
		switch {
		case err != nil:
			return err
		case known && (!hasValue || len(patterns) == 0):
			return fmt.Errorf("%q stands twice", begins)
		case !r.next():
		case isPrefix:
			into.prefixes[begins[0]] = append(into.prefixes[begins[0]], begins)
		case hasValue:
			into.exact[begins] = append(patterns, pattern)
		default:
			into.exact[begins] = nil
		}
	}
	return nil
}

func readValue(value string) (urlPattern, error) {
	if text, ok := strings.CutSuffix(value, "*"); ok {
		return urlPattern{text: text, open: true, rest: true}, nil
	}
	return readPattern(value)
}
